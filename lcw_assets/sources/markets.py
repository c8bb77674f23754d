"""What every source of prices gives once a day: the list of its markets, whatever its vendor calls it.

Which coin is priced in which currency is data, and never found in the letters of a symbol. So a row is taken as it is
or not at all: one without its alias or its status would count an order book twice, or price a market that is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lcw_assets.sources.records import Refusal, Refused
from lcw_assets.sources.tickers import Body, NoTickersError

TRADING = "trading"

Name = Annotated[str, Field(min_length=1, max_length=64)]
NameOrNone = Annotated[Name | None, BeforeValidator(lambda value: value if value != "" else None)]


@dataclass(frozen=True, slots=True)
class ListedMarket:
    """`symbol` is the name in responses, `request` the one in requests (null: the same). `base` and `quote` are the
    vendor's own names of the coin and of what it is priced in.

    `kind` is "spot", or "perpetual" and others; `status` "trading", or the vendor's word in lower case. `same_book` is
    the symbol of the market whose order book this one shows as well.
    """

    symbol: str
    base: str
    quote: str
    request: str | None = None
    kind: str = "spot"
    status: str = TRADING
    same_book: str | None = None


@dataclass(frozen=True)
class Markets:
    """A response's markets, in its order; a symbol has several if its rows differ. `refusals` were not taken."""

    records: Sequence[ListedMarket]
    refusals: Sequence[Refusal] = ()


class MarketRow(BaseModel):
    """The fields that are needed, each with the place where the vendor has it; `trades` is its word for that."""

    model_config = ConfigDict(strict=True, defer_build=True)

    trades: ClassVar[str] = TRADING

    symbol: Name
    base: Name
    quote: Name
    request: NameOrNone = None
    status: Name = TRADING
    kind: Name = "spot"
    same_book: NameOrNone = None

    def market(self) -> ListedMarket:
        return ListedMarket(
            symbol=self.symbol,
            base=self.base,
            quote=self.quote,
            request=self.request if self.request != self.symbol else None,
            kind=self.kind.lower(),
            status=TRADING if self.status == self.trades else self.status.lower(),
            same_book=self.same_book if self.same_book != self.symbol else None,
        )


class Reader(Protocol):
    def __call__(self, text: str, /) -> Markets: ...


def markets_reader(body: Callable[[str], Body], row: type[MarketRow], *path: str, key: str | None = None) -> Reader:
    """Reads the markets of a list, or of an object whose names become the field `key`. Raises `NoTickersError`.

    The last response is cached: a load reads it as it comes and as it is stored.
    """

    @lru_cache(maxsize=1)
    def read_markets(text: str) -> Markets:
        rows, refused = body(text).rows(row, *path, key=key, whole=True)
        return markets_of((one.market() for one in rows), refused)

    return read_markets


def markets_of(found: Iterable[ListedMarket], refused: Mapping[str, Refused]) -> Markets:
    """Raises `NoTickersError` if there are none: a venue without markets is none."""
    records = list(dict.fromkeys(found))
    if not records:
        why = f"none of its markets can be read: {next(iter(refused))}" if refused else "it has no markets"
        raise NoTickersError(why)
    return Markets(records, [Refusal(reason, one.entries, one.texts[0]) for reason, one in refused.items()])
