"""The tables of instruments: names with a user's corrections, the venues' lists of markets, and when these came.

Everything happens within the caller's transaction, on its connection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

from lcw_assets.instruments.instruments import Instrument, Instruments
from lcw_assets.instruments.known import MARKETS, NAMES, NOT_TICKERS
from lcw_assets.instruments.names import EVERYWHERE, CoinName, Market, corrected
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import append

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What prices are in, before they are converted, the better first. Nothing measures others.
CURRENCIES = ("USD", "USDT")

_DAILY = timedelta(hours=24)
_AGAIN = timedelta(hours=1)
# Over a stored list that is so much older, one that has lost most of its markets is taken; and any over one that is so
# much newer, which is from a clock that was wrong.
_BELIEVED = timedelta(days=7)

_NEVER = datetime.min.replace(tzinfo=timezone.utc)
_SYMBOLS = "SELECT DISTINCT symbol FROM instruments.markets WHERE venue = ?"
_SQL = Statements(__file__)


class ListedMarket(Protocol):
    """A row of a venue's list, as its source reads it (`lcw_assets.sources.markets`)."""

    @property
    def symbol(self) -> str: ...
    @property
    def base(self) -> str: ...
    @property
    def quote(self) -> str: ...
    @property
    def request(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def same_book(self) -> str | None: ...


@dataclass(frozen=True)
class ListState:
    """`received_at` is null if no list of the venue was ever taken."""

    venue: str
    attempted_at: datetime
    received_at: datetime | None


def read_instruments(db: DuckDBPyConnection, coins: Sequence[str] | None, at: datetime) -> Instruments:
    """What names and symbols mean at the moment `at`.

    With `coins` only their markets in USD and USDT are read, and those of these currencies; all other symbols are
    `unknown_market`. A venue that never sent a list has the built-in markets. A row of `instruments.names` that cannot
    be read is left out, and is among the `complaints`.
    """
    own, wrong = _own_names(db)
    names = corrected(NAMES, own)
    listed = {state.venue for state in read_lists(db) if state.received_at is not None}
    markets = [Market(**row) for row in _market_rows(db, coins, names)]
    known = [market for market in MARKETS if market.venue not in listed]
    return Instruments([*names, *_code_names(db, names, markets)], [*known, *markets], at, wrong)


def replace_markets(
    db: DuckDBPyConnection, venue: str, markets: Iterable[ListedMarket], received_at: datetime, load_id: str
) -> str | None:
    """A list that came: it replaces the venue's older one. The reason if it does not, else null."""
    rows = [Market(venue, *_fields(market)) for market in markets]
    stored = _received_at(db, venue)
    if stored is not None and received_at <= stored < received_at + _BELIEVED:
        return f"{venue}: the list of {received_at:%F %T} is not newer than the stored one of {stored:%F %T}"
    record_attempt(db, venue, received_at, load_id)
    before = {row[0] for row in db.execute(_SYMBOLS, [venue]).fetchall()}
    before = before or {market.symbol for market in MARKETS if market.venue == venue}
    kept = len(before & {market.symbol for market in rows})
    believed = stored is not None and abs(received_at - stored) >= _BELIEVED
    if not rows or (2 * kept < len(before) and not believed):
        return (
            f"{venue}: the list has {kept} of the {len(before)} markets that were known, under half of them, so it is "
            f"probably cut: the known ones serve (a list is believed after {_BELIEVED.days} days)"
        )
    db.execute("DELETE FROM instruments.markets WHERE venue = ?", [venue])
    append(db, "instruments.markets", [{**vars(row), "listed_at": received_at, "load_id": load_id} for row in rows])
    db.execute("UPDATE instruments.lists SET received_at = ? WHERE venue = ?", [received_at, venue])
    _show_names(db, venue, rows)
    return None


def record_attempt(db: DuckDBPyConnection, venue: str, attempted_at: datetime, load_id: str) -> None:
    """The list was requested, whatever came of it."""
    state = ListState(venue, attempted_at, _received_at(db, venue))
    db.execute("DELETE FROM instruments.lists WHERE venue = ?", [venue])
    append(db, "instruments.lists", [{**vars(state), "load_id": load_id}])


def read_lists(db: DuckDBPyConnection) -> list[ListState]:
    """What `due_list` decides by."""
    return [ListState(**row) for row in _SQL.rows(db, "lists")]


def due_list(db_rows: Iterable[ListState], venues: Sequence[str], now: datetime) -> str | None:
    """The venue whose list to request now, if any: the one whose list is oldest, and first one that has none.

    A list is due after a day, unless it was requested within the hour. A time that is ahead of now is from a clock that
    was wrong, and does not count.
    """
    states = {row.venue: row for row in db_rows}
    due = []
    for place, venue in enumerate(venues):
        state = states.get(venue)
        attempted, received = (
            time if time is not None and time <= now else _NEVER
            for time in ((state.attempted_at, state.received_at) if state else (None, None))
        )
        if received <= now - _DAILY and attempted <= now - _AGAIN:
            due.append((received, place, venue))
    return min(due)[2] if due else None


def traded_coins(
    instruments: Instruments, coins: Iterable[str], venues: Sequence[str], at_least: int = 3
) -> tuple[str, ...]:
    """Those of the coins that so many venues price in a currency that is USD or becomes USD, in their order."""
    return tuple(
        coin
        for coin in dict.fromkeys(coins)
        if sum(_priced(instruments, venue, coin) for venue in dict.fromkeys(venues)) >= at_least
    )


def _priced(instruments: Instruments, venue: str, coin: str) -> bool:
    return any(isinstance(instruments.market(venue, coin, currency), Instrument) for currency in CURRENCIES)


def _fields(market: ListedMarket) -> tuple[Any, ...]:
    return (
        market.symbol, market.base, market.quote, market.request, market.kind, market.status, market.same_book,
    )  # fmt: skip


def _received_at(db: DuckDBPyConnection, venue: str) -> datetime | None:
    return next((state.received_at for state in read_lists(db) if state.venue == venue), None)


def _own_names(db: DuckDBPyConnection) -> tuple[list[CoinName], list[str]]:
    """A user's rows, and what is wrong with those that are none: a typo must not stop all prices."""
    found, wrong = [], []
    for row in _SQL.rows(db, "own_names"):
        try:
            found.append(CoinName(**row))
        except ValueError as error:
            wrong.append(f"the name {row['name']!r} of the venue {row['venue']!r}: {error}")
    return found, wrong


def _market_rows(
    db: DuckDBPyConnection, coins: Sequence[str] | None, names: Iterable[CoinName]
) -> list[dict[str, Any]]:
    if coins is None:
        return _SQL.rows(db, "markets")
    wanted = {*coins, *CURRENCIES}
    bases = {name for coin in wanted for name in (coin, _ticker(coin))}
    bases |= {row.name for row in names if row.coin in wanted}
    quotes = {*CURRENCIES, *(row.name for row in names if row.coin in CURRENCIES)}
    return _SQL.rows(db, "markets_of", {"bases": sorted(bases), "quotes": sorted(quotes)})


def _ticker(code: str) -> str:
    """Live Coin Watch sets underscores before the tickers of coins that would have the same code as another one."""
    return code.lstrip("_")


def _code_names(db: DuckDBPyConnection, names: Iterable[CoinName], markets: Iterable[Market]) -> list[CoinName]:
    """Names that need no row, because they are the code of a coin and of no other.

    `market.coins` has the code of every coin that was ever fetched, and underscores before its ticker where another one
    has that as its code: `______HYPE` is Hyperliquid, and `HYPE` is another coin. So one query for the tickers that are
    on the lists, and mean nothing yet, says which coins each may be. One, whose code is the ticker: that is the coin.
    One with underscores: there is another that was never fetched, and the name stays unknown. Several: all of them, and
    `Instruments` says `two_coins`. What a row of the table or a built-in one says comes first.
    """
    known = {(row.venue, row.name) for row in names}
    unknown = {
        (market.venue, market.base)
        for market in markets
        if market.venue not in NOT_TICKERS and not {(market.venue, market.base), (EVERYWHERE, market.base)} & known
    }
    if not unknown:
        return []
    codes = defaultdict(list)
    for row in _SQL.rows(db, "codes", {"tickers": sorted({base for _, base in unknown})}):
        codes[row["ticker"]].append(row["code"])
    return [
        CoinName(venue, base, code)
        for venue, base in sorted(unknown)
        for code in sorted(codes[base])
        if len(codes[base]) > 1 or code == base
    ]


def _show_names(db: DuckDBPyConnection, venue: str, markets: Iterable[Market]) -> None:
    """So that a user sees in `instruments.names` what there is to correct."""
    own, _ = _own_names(db)
    names = corrected(NAMES, own)
    shown: Mapping[str, Iterable[CoinName]] = {
        "builtin": (row for row in NAMES if row.venue in (venue, EVERYWHERE)),
        "code": _code_names(db, names, markets),
    }
    db.execute(
        "DELETE FROM instruments.names WHERE venue IN (?, ?) AND origin IN ('builtin', 'code')", [venue, EVERYWHERE]
    )
    rows = [{**vars(row), "origin": origin} for origin, found in shown.items() for row in found]
    append(db, "instruments.names", rows)
