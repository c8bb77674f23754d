"""Kraken's tickers, under the names that its responses have: XXBTZUSD for what is requested as XBTUSD.

No rule leads from one name to the other; Kraken's list of pairs does. Errors come under HTTP 200, always. `c` is the
last trade, however long ago; nothing says when.
"""

from dataclasses import replace
from functools import lru_cache

from pydantic import AliasPath, Field

from lcw_assets.sources.markets import ListedMarket, MarketRow, Name, NameOrNone, markets_reader
from lcw_assets.sources.tickers import Amount, Body, NoTickersError, TickerRow, Tickers, Wanted


class Row(TickerRow):
    """Lists: price, whole lots, lots of `a` and `b`; price and lots of `c`; today and 24 hours of `v`."""

    bid: Amount = Field(None, validation_alias=AliasPath("b", 0))
    ask: Amount = Field(None, validation_alias=AliasPath("a", 0))
    last: Amount = Field(None, validation_alias=AliasPath("c", 0))
    volume: Amount = Field(None, validation_alias=AliasPath("v", 1))


class MarketOf(MarketRow):
    """`wsname` is XBT/USD where `base` and `quote` are XXBT and ZUSD: the names without an X or a Z before them."""

    trades = "online"

    request: NameOrNone = Field(None, alias="altname")
    status: Name
    kind: Name = Field(alias="aclass_base")
    wsname: NameOrNone = None

    def market(self) -> ListedMarket:
        found = super().market()
        base, slash, quote = (self.wsname or "").partition("/")
        names = {"base": base, "quote": quote} if base and slash and quote else {}
        return replace(found, kind="spot" if self.kind == "currency" else found.kind, **names)


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Raises `NoTickersError`. The last response is cached: a load reads it as it comes and as it is stored."""
    return _body(text).keyed(Row, "result", kind="none", wanted=wanted)


def _body(text: str) -> Body:
    body = Body.parse(text)
    errors = body.get("error")
    if not isinstance(errors, list):
        raise NoTickersError("it has no error, which is an empty list where all is well")
    for said in map(str, errors):
        if not said.startswith("W"):  # a warning
            category, _, reason = said.partition(":")
            raise NoTickersError(said, f"{category}:{reason.split(':')[0].strip()}")
    return body


read_markets = markets_reader(_body, MarketOf, "result", key="symbol")
