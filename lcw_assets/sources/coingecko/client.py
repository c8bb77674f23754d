"""CoinGecko: the coins that are requested, in one response. It averages exchanges itself: a witness, and no vote.

Without a key an address has few requests a minute, and fewer where others share it. Unknown coins are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lcw_assets.sources.coingecko.records import read_markets, read_tickers
from lcw_assets.sources.coingecko.spec import SOURCE
from lcw_assets.sources.ticker_client import Meaning, TickerClient


class CoinGecko(TickerClient):
    """It has no request for all: one that names no coins asks for Bitcoin."""

    source = SOURCE
    endpoint = "api/v3/simple/price"
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "api/v3/coins/list"
    read_markets = staticmethod(read_markets)
    # Some 17,000 coins are 1.5 MB: ten times that.
    largest_list = 15_000_000
    codes: ClassVar[Mapping[str, Meaning]] = {"429": "rate_limited"}

    @classmethod
    def request_for(cls, markets: Sequence[str]) -> dict[str, Any]:
        coins = ",".join(markets) or "bitcoin"
        return {"ids": coins, "vs_currencies": "usd", "include_last_updated_at": "true", "precision": "full"}
