"""KuCoin: every spot market in one response, quoted in USDT and others.

Weight 15 of 2,000 in 30 s an address, as the `gw-ratelimit-*` headers say; an overloaded server sends the same error
without them.
"""

from collections.abc import Mapping
from typing import ClassVar

from lcw_assets.sources.kucoin_spot.records import read_markets, read_tickers
from lcw_assets.sources.kucoin_spot.spec import SOURCE
from lcw_assets.sources.ticker_client import Meaning, TickerClient


class KuCoinSpot(TickerClient):
    source = SOURCE
    endpoint = "api/v1/market/allTickers"
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "api/v2/symbols"
    read_markets = staticmethod(read_markets)
    codes: ClassVar[Mapping[str, Meaning]] = {
        "429000": "rate_limited",
        "400302": "country",
        "500000": "server_error",
    }
