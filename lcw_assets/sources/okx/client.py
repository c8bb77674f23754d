"""OKX: every spot market in one response of some 400 KB, quoted in USDT; USDT-USD is one of them.

20 requests in 2 s an address; no headers say how many are left.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from lcw_assets.sources.okx.records import read_markets, read_tickers
from lcw_assets.sources.okx.spec import SOURCE
from lcw_assets.sources.ticker_client import Meaning, TickerClient


class Okx(TickerClient):
    source = SOURCE
    endpoint = "api/v5/market/tickers"
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "api/v5/public/instruments"
    list_request: ClassVar[Mapping[str, Any]] = {"instType": "SPOT"}
    read_markets = staticmethod(read_markets)
    codes: ClassVar[Mapping[str, Meaning]] = {
        "50011": "rate_limited",
        "50001": "maintenance",
        "50004": "server_error",  # a time-out, behind OKX's front
        "50013": "server_error",  # busy
        "50026": "server_error",
        "51001": "unknown_market",
    }

    @classmethod
    def request_for(cls, markets: object) -> dict[str, Any]:  # noqa: ARG003
        return {"instType": "SPOT"}
