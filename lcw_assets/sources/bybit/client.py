"""Bybit: every spot market in one response of some 180 KB, quoted in USDT.

600 requests in 5 s an address. Beyond that comes a 403, "access too frequent", and nothing else for ten minutes; a
403 is also what some countries get.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from lcw_assets.sources.bybit.records import read_markets, read_tickers
from lcw_assets.sources.bybit.spec import SOURCE
from lcw_assets.sources.ticker_client import Meaning, TickerClient
from lcw_assets.transport.facts import Response

# A reset further away than this is no wait but a clock that is wrong.
_LONGEST_S = 60.0


class Bybit(TickerClient):
    source = SOURCE
    endpoint = "v5/market/tickers"
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "v5/market/instruments-info"
    list_request: ClassVar[Mapping[str, Any]] = {"category": "spot", "limit": "1000"}
    read_markets = staticmethod(read_markets)
    ban_s = 600.0
    codes: ClassVar[Mapping[str, Meaning]] = {
        "10006": "rate_limited",
        "10018": "rate_limited",  # of the address
        "10009": "ban",
        "10024": "country",  # what Bybit may not serve there
        "10000": "server_error",  # a time-out, behind Bybit's front
        "10016": "server_error",
    }

    @classmethod
    def request_for(cls, markets: object) -> dict[str, Any]:  # noqa: ARG003
        return {"category": "spot"}

    def wait_s(self, response: Response) -> float | None:
        """The header has UNIX milliseconds, and comes with signed requests at least."""
        reset = response.headers.get("x-bapi-limit-reset-timestamp", "")
        left = int(reset) / 1000 - response.received_at.timestamp() if reset.isdecimal() else 0.0
        return left if 0 < left <= _LONGEST_S else super().wait_s(response)
