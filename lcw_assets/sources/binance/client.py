"""Binance: the markets that are requested, or every one, in one response, quoted in USDT.

The host is the one for public data, which refuses no country. Weight 2 for up to 20 markets, 40 for up to 100 and 80
for all, of 6,000 a minute an address. Who goes on after a 429 is banned, with a 418, for 2 minutes to 3 days. One
unknown market in a request loses all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic_core import to_json

from lcw_assets.sources.binance.records import read_markets, read_tickers
from lcw_assets.sources.binance.spec import SOURCE
from lcw_assets.sources.ticker_client import Meaning, TickerClient

# A longer request has no filter: it would cost as much as all.
_MOST_MARKETS = 100


class Binance(TickerClient):
    source = SOURCE
    endpoint = "api/v3/ticker/24hr"
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "api/v3/exchangeInfo"
    list_request: ClassVar[Mapping[str, Any]] = {
        "permissions": "SPOT",
        "symbolStatus": "TRADING",
        "showPermissionSets": "false",
    }
    read_markets = staticmethod(read_markets)
    # All that trade are some 4 MB, most of it filters for orders: ten times that.
    largest_list = 40_000_000
    codes: ClassVar[Mapping[str, Meaning]] = {
        "-1000": "server_error",
        "-1001": "server_error",
        "-1004": "server_error",
        "-1007": "server_error",  # a time-out, behind Binance's front
        "-1008": "server_error",  # overloaded
        "-1016": "maintenance",  # shutting down
        "-1121": "unknown_market",
    }

    @classmethod
    def request_for(cls, markets: Sequence[str]) -> dict[str, Any]:
        return {"symbols": to_json(list(markets)).decode()} if 0 < len(markets) <= _MOST_MARKETS else {}
