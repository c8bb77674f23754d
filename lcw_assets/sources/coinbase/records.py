"""Coinbase Exchange's statistics of all products: the last price and no order book, and nothing says how old it is.

A product may have nothing but `{}`, or no day.
"""

from dataclasses import replace
from functools import lru_cache

from pydantic import AliasPath, Field

from lcw_assets.sources.markets import TRADING, ListedMarket, MarketRow, Markets, Name, NameOrNone, markets_of
from lcw_assets.sources.tickers import Amount, Body, NoTickersError, TickerRow, Tickers, Wanted


class Row(TickerRow):
    last: Amount = Field(None, validation_alias=AliasPath("stats_24hour", "last"))
    volume: Amount = Field(None, validation_alias=AliasPath("stats_24hour", "volume"))


class Product(MarketRow):
    """`alias` is the product whose order book this one shows as well; that one lists it in `alias_to`.

    At most one of the flags is set. With `limit_only` orders are matched all the same.
    """

    trades = "online"

    symbol: Name = Field(alias="id")
    base: Name = Field(alias="base_currency")
    quote: Name = Field(alias="quote_currency")
    status: Name
    same_book: NameOrNone = Field(None, alias="alias")
    alias_to: tuple[Name, ...] | None = Field(None, strict=False)
    trading_disabled: bool | None = None
    cancel_only: bool | None = None
    post_only: bool | None = None
    auction_mode: bool | None = None

    def market(self) -> ListedMarket:
        found = super().market()
        flags = ("trading_disabled", "cancel_only", "post_only", "auction_mode")
        flag = next((name for name in flags if getattr(self, name)), None)
        return replace(found, status=flag) if flag and found.status == TRADING else found


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Raises `NoTickersError`. The last response is cached: a load reads it as it comes and as it is stored."""
    return _body(text).keyed(Row, kind="none", wanted=wanted)


def _body(text: str) -> Body:
    body = Body.parse(text)
    message = body.get("message")
    if isinstance(message, str):
        raise NoTickersError(message, message)
    return body


@lru_cache(maxsize=1)
def read_markets(text: str) -> Markets:
    """Raises `NoTickersError`."""
    rows, refused = _body(text).rows(Product, whole=True)
    first = {alias: row.symbol for row in rows for alias in row.alias_to or () if alias != row.symbol}
    return markets_of(
        (replace(one, same_book=one.same_book or first.get(one.symbol)) for row in rows for one in [row.market()]),
        refused,
    )
