"""Bitstamp: every market in one response of 80 KB, quoted in USD, EUR and others; USDT/USD is one of them.

400 requests a second and 10,000 in ten minutes. One response in seven comes from a cache at the edge, up to a second
old.
"""

from collections.abc import Mapping
from typing import ClassVar

from lcw_assets.sources.bitstamp.records import read_markets, read_tickers
from lcw_assets.sources.bitstamp.spec import SOURCE
from lcw_assets.sources.ticker_client import Meaning, TickerClient


class Bitstamp(TickerClient):
    source = SOURCE
    endpoint = "api/v2/ticker/"  # without the slash it is a redirect
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "api/v2/markets/"
    read_markets = staticmethod(read_markets)
    codes: ClassVar[Mapping[str, Meaning]] = {
        "400.002": "rate_limited",
        "Request rate limit exceeded": "rate_limited",
        "Server is under maintenance": "maintenance",
    }
