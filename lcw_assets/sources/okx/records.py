"""OKX's tickers. Its error bodies come under HTTP 200 as well: `code` is "0" where all is well."""

from functools import lru_cache

from pydantic import Field

from lcw_assets.sources.markets import MarketRow, Name, markets_reader
from lcw_assets.sources.tickers import Amount, Body, Market, Milliseconds, TickerRow, Tickers, Wanted


class Row(TickerRow):
    """`volCcy24h` is in the quote currency; `ts` is when OKX made the ticker, also where nobody trades."""

    market: Market = Field(alias="instId")
    bid: Amount = Field(None, alias="bidPx")
    ask: Amount = Field(None, alias="askPx")
    volume: Amount = Field(None, alias="vol24h")
    source_time: Milliseconds = Field(None, alias="ts")


class MarketOf(MarketRow):
    """`state` is live, suspend, preopen or test."""

    trades = "live"

    symbol: Name = Field(alias="instId")
    base: Name = Field(alias="baseCcy")
    quote: Name = Field(alias="quoteCcy")
    status: Name = Field(alias="state")
    kind: Name = Field(alias="instType")


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Raises `NoTickersError`. The last response is cached: a load reads it as it comes and as it is stored."""
    return _body(text).listed(Row, "data", kind="snapshot", wanted=wanted)


def _body(text: str) -> Body:
    body = Body.parse(text)
    body.require("code", "0", "msg")
    return body


read_markets = markets_reader(_body, MarketOf, "data")
