"""The names of coins and markets, as data: one row a meaning. Codes are case-sensitive text and never parsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

# A name that means the same at every venue that has no row of its own for it.
EVERYWHERE = "*"

_LONGEST = 64

Code = Literal[
    "unknown_name",  # no row says what the name means at this venue
    "two_coins",  # more than one row does, and they differ: `coins`
    "not_yet",  # it begins to mean a coin `since`
    "renamed",  # it meant `coin` `until`, which is called `successor` now
    "delisted",  # it meant `coin` `until`
    "unknown_market",  # the venue's list of markets has no such symbol, or no market of this coin in this currency
    "two_markets",  # more than one: `symbols`, or `meanings` of one symbol
    "not_spot",  # a future, a perpetual or an index: `kind`
    "not_trading",  # on the list, and not traded: `status`
    "same_book",  # another name of the order book `of`, which counts once
]


@dataclass(frozen=True)
class Unmapped:
    """Why a name is no coin, or a symbol no market: a code, and the fields that explain it."""

    code: Code
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CoinName:
    """At `venue` (or `EVERYWHERE`) the name means this coin, from `since` up to, and without, `until`.

    A coin is named by its Live Coin Watch code, which is unique where tickers are not: `______HYPE` is Hyperliquid,
    `HYPE` another coin. Currencies that are no coins have their ISO code: USD. With `until`, `successor` is the name
    that the same venue uses from then on; without a successor the coin was delisted.
    """

    venue: str
    name: str
    coin: str
    since: datetime | None = None
    until: datetime | None = None
    successor: str | None = None

    def __post_init__(self) -> None:
        _require(self, "venue", "name", "coin")
        if self.successor is not None and self.until is None:
            raise ValueError(f"the name {self.name!r} at {self.venue!r} has a successor, and no 'until' from when")


@dataclass(frozen=True)
class Market:
    """A market as the venue's own list has it: `symbol` in its responses, `request` in requests (null: the same),
    `base` and `quote` in the venue's own names, for base coins priced in the quote currency.

    `same_book` is the symbol of the market whose order book this one shows as well (Coinbase shows BTC-USD as BTC-USDC
    too), null for a book of its own.
    """

    venue: str
    symbol: str
    base: str
    quote: str
    request: str | None = None
    kind: str = "spot"
    status: str = "trading"
    same_book: str | None = None

    def __post_init__(self) -> None:
        for value in (self.venue, self.symbol, self.base, self.quote):
            if type(value) is not str or not 0 < len(value) <= _LONGEST:  # exchanges list thousands: no more than this
                _require(self, "venue", "symbol", "base", "quote")


def _require(row: object, *names: str) -> None:
    """Raises `ValueError` for what is no code: not a text of 1 to 64 characters."""
    for name in names:
        value = getattr(row, name)
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
            raise ValueError(
                f"{name} is {value!r}, which is no text of 1 to {_LONGEST} characters: correct it in the table of names"
            )


def corrected(rows: Iterable[CoinName], corrections: Iterable[CoinName]) -> tuple[CoinName, ...]:
    """The rows, in which a user's corrections replace all rows of the same venue and name."""
    own = tuple(corrections)
    replaced = {(row.venue, row.name) for row in own}
    return (*(row for row in rows if (row.venue, row.name) not in replaced), *own)
