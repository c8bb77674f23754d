"""Binance's tickers of 24 hours. A market that was delisted is still there, with zeros."""

from functools import lru_cache

from pydantic import Field

from lcw_assets.sources.markets import MarketRow, Name, markets_reader
from lcw_assets.sources.tickers import Amount, Body, Market, Milliseconds, NoTickersError, TickerRow, Tickers, Wanted


class Row(TickerRow):
    """`closeTime` is when the 24 hours end. Rows are sorted by name, whatever the order of the request."""

    market: Market = Field(alias="symbol")
    bid: Amount = Field(None, alias="bidPrice")
    ask: Amount = Field(None, alias="askPrice")
    last: Amount = Field(None, alias="lastPrice")
    source_time: Milliseconds = Field(None, alias="closeTime")
    volume: Amount = None


class MarketOf(MarketRow):
    """`status` is TRADING, BREAK, HALT or another; the request leaves out those that do not trade."""

    trades = "TRADING"

    base: Name = Field(alias="baseAsset")
    quote: Name = Field(alias="quoteAsset")
    status: Name


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Raises `NoTickersError`. The last response is cached: a load reads it as it comes and as it is stored."""
    return _body(text).listed(Row, kind="snapshot", wanted=wanted)


def _body(text: str) -> Body:
    body = Body.parse(text)
    code = body.get("code")
    if code is not None:
        raise NoTickersError(f"{code} {body.get('msg') or ''}".strip(), str(code))
    return body


read_markets = markets_reader(_body, MarketOf, "symbols")
