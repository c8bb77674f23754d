"""Bybit's tickers. Errors come under HTTP 200: `retCode` is 0 where all is well. The time is that of the envelope."""

from functools import lru_cache

from pydantic import Field

from lcw_assets.sources.markets import MarketRow, Name, markets_reader
from lcw_assets.sources.tickers import Amount, Body, Market, NoTickersError, TickerRow, Tickers, Wanted


class Row(TickerRow):
    market: Market = Field(alias="symbol")
    bid: Amount = Field(None, alias="bid1Price")
    ask: Amount = Field(None, alias="ask1Price")
    last: Amount = Field(None, alias="lastPrice")
    volume: Amount = Field(None, alias="volume24h")


class MarketOf(MarketRow):
    """`status` is Trading, PreLaunch or another."""

    trades = "Trading"

    symbol: Name
    base: Name = Field(alias="baseCoin")
    quote: Name = Field(alias="quoteCoin")
    status: Name


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Raises `NoTickersError`. The last response is cached: a load reads it as it comes and as it is stored."""
    body = _body(text)
    return body.listed(Row, "result", "list", kind="answer", time=body.get("time"), wanted=wanted)


def _body(text: str) -> Body:
    body = Body.parse(text)
    body.require("retCode", "0", "retMsg")
    if body.get("result", "nextPageCursor"):
        raise NoTickersError("it is a page of a list, where Bybit says that spot markets have none")
    return body


read_markets = markets_reader(_body, MarketOf, "result", "list")
