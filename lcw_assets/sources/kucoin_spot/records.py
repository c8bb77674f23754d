"""KuCoin's tickers of all spot markets: a snapshot that is made every two seconds, with the time of that.

`symbol` stays when a market is renamed, and `symbolName` is the new name: it is the one that is known elsewhere.
"""

from dataclasses import replace
from functools import lru_cache

from pydantic import AliasChoices, Field

from lcw_assets.sources.markets import ListedMarket, MarketRow, Name, NameOrNone, markets_reader
from lcw_assets.sources.tickers import Amount, Body, Market, TickerRow, Tickers, Wanted


class Row(TickerRow):
    market: Market = Field(validation_alias=AliasChoices("symbolName", "symbol"))
    bid: Amount = Field(None, alias="buy")
    ask: Amount = Field(None, alias="sell")
    volume: Amount = Field(None, alias="vol")


class MarketOf(MarketRow):
    """`name` is `symbolName` of the tickers, and follows a renaming; `symbol` and `baseCurrency` never change."""

    symbol: Name = Field(alias="name")
    base: Name = Field(alias="baseCurrency")
    quote: Name = Field(alias="quoteCurrency")
    request: NameOrNone = Field(alias="symbol")
    trading: bool = Field(alias="enableTrading")

    def market(self) -> ListedMarket:
        return super().market() if self.trading else replace(super().market(), status="disabled")


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Raises `NoTickersError`. The last response is cached: a load reads it as it comes and as it is stored."""
    body = _body(text)
    return body.listed(Row, "data", "ticker", kind="snapshot", time=body.get("data", "time"), wanted=wanted)


def _body(text: str) -> Body:
    body = Body.parse(text)
    body.require("code", "200000", "msg")
    return body


read_markets = markets_reader(_body, MarketOf, "data")
