"""Coinbase Exchange: the last price of every product in one response, quoted in USD; USDT-USD is one of them.

10 requests a second an address, 15 at once; responses are up to 5 s old, as `cache-control` says.
"""

from lcw_assets.sources.coinbase.records import read_markets, read_tickers
from lcw_assets.sources.coinbase.spec import SOURCE
from lcw_assets.sources.ticker_client import TickerClient


class Coinbase(TickerClient):
    source = SOURCE
    endpoint = "products/stats"
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "products"
    read_markets = staticmethod(read_markets)
