"""What a round has to know of the rounds before it, read from the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.health import Fact, Health, HealthLimits, Spent, health
from lcw_assets.defs.prices.lifetimes import lifetime_s, volatility
from lcw_assets.defs.prices.quotes import STILL_ROUNDS, Past, Ticker
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets.ingest.clock import midnight_of
from lcw_assets.instruments.instruments import Instrument, Instruments
from lcw_assets.instruments.known import MARKETS, NAMES
from lcw_assets.instruments.store import CURRENCIES, ListState, read_instruments, read_lists, traded_coins
from lcw_assets.instruments.tracked import CoinsError, tracked_codes
from lcw_assets.settings.prices import WITNESS, exchanges
from lcw_assets.warehouse.statements import Statements, query_rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.settings import Settings

_SQL = Statements(__file__)
# Of the facts of a source, so many rounds count.
_ROUNDS = 20
# A run's rounds are at most a minute later than the time of its hooks.
_AHEAD = timedelta(minutes=2)
_HEALTHS = "SELECT * FROM prices.source_health"


@dataclass(frozen=True)
class Names:
    """Which coins to price, and what sources call them, as known at the moment `at`.

    `chosen` has the markets that count, by source and by symbol in its responses: one a coin, and the one of USDT
    against USD. `complaint` says why there are no symbols; `tracked`: they are all that is tracked. `stored`: they were
    read from the tables.
    """

    at: datetime
    symbols: Sequence[str]
    instruments: Instruments
    chosen: Mapping[str, Mapping[str, Instrument]]
    lists: Sequence[ListState] = ()
    complaint: str = ""
    tracked: bool = False
    stored: bool = False

    @classmethod
    def built_in(cls, settings: Settings, now: datetime) -> Names:
        """Before there are tables."""
        instruments = Instruments(NAMES, MARKETS, now)
        symbols = settings.symbols or ()
        return cls(now, symbols, instruments, _chosen(instruments, symbols))

    def requested(self, source: str) -> list[str]:
        """The markets to request, as the source wants them named."""
        return [one.market.request or one.market.symbol for one in self.chosen.get(source, {}).values()]

    def markets(self, source: str) -> frozenset[str]:
        """The same, as its responses name them."""
        return frozenset(self.chosen.get(source, ()))

    def wanted(self, source: str, tickers: Sequence[Ticker]) -> list[Ticker]:
        chosen = self.chosen.get(source, {})
        return [ticker for ticker in tickers if ticker.market in chosen]


@dataclass(frozen=True)
class Before:
    """What the rounds before one have stored: the last good `rates`, the rows of `prices.latest` by coin and of
    `prices.source_health`, since when the price of a coin at Live Coin Watch is off, and the moment of the `newest`.
    """

    rates: Mapping[str, Rate]
    latest: Mapping[str, Mapping[str, Any]]
    health_rows: Sequence[Mapping[str, Any]]
    off_since: Mapping[str, datetime | None]
    newest: datetime | None
    _facts: Mapping[str, Sequence[Fact]]
    _spent: Mapping[str, Spent]
    _past: Mapping[tuple[str, str], tuple[Past, datetime]]

    @property
    def healths(self) -> dict[str, Health]:
        return {row["source"]: _health(row) for row in self.health_rows}

    def healths_after(
        self, rows: Sequence[Mapping[str, Any]], sources: Sequence[str], at: datetime, limits: HealthLimits
    ) -> dict[str, Health]:
        """How each source is doing after the round whose rows of `prices.source_loads` these are."""
        facts = {name: [*found] for name, found in self._facts.items()}
        spent = dict(self._spent)
        for row in rows:
            source, before = row["source"], spent.get(row["source"], Spent())
            facts.setdefault(source, []).append(_fact(row))
            spent[source] = Spent(before.calls + row["calls"], before.bytes + row["bytes"], before.cost + row["cost"])
        return {name: health(facts.get(name, ()), at, limits, spent.get(name, Spent())) for name in sources}

    def history(self, received: Mapping[tuple[str, str], datetime]) -> dict[tuple[str, str], Past]:
        """What each market did in the rounds before. A response that served in several rounds counts once: `received`
        has the time of the one of this round.
        """
        return {
            market: replace(past, rounds=past.rounds - 1) if received.get(market) == newest else past
            for market, (past, newest) in self._past.items()
        }


def read_names(db: DuckDBPyConnection, settings: Settings, at: datetime) -> Names:
    complaint = ""
    try:
        wanted = settings.symbols or tracked_codes(db, settings, at)
    except CoinsError as error:
        wanted, complaint = (), str(error)
    instruments = read_instruments(db, wanted, at)
    symbols = settings.symbols or traded_coins(instruments, wanted, exchanges())
    if not symbols and not complaint:
        complaint = "no tracked coin is traded by three sources, as far as their lists of markets are known"
    chosen, lists = _chosen(instruments, symbols), read_lists(db)
    return Names(at, symbols, instruments, chosen, lists, complaint, settings.symbols is None, stored=True)


def read_before(db: DuckDBPyConnection, at: datetime, now: datetime) -> Before:
    """What later rounds stored does not count; nor is newest what is ahead of `now`, from a clock that was wrong."""
    rates: dict[str, Rate] = {}
    for row in _SQL.rows(db, "rates", {"at": at}):
        rates.setdefault(row["currency"], Rate(**{**row, "sources": tuple(row["sources"])}))
    health_rows, latest = query_rows(db, _HEALTHS), query_rows(db, "SELECT * FROM prices.latest")
    rows = _SQL.rows(db, "facts", {"at": at, "most": _ROUNDS * max(len(health_rows), 1)})
    moments = sorted({row["priced_at"] for row in rows}, reverse=True)
    past = {
        (row["source"], row["market"]): (Past(row["rounds"], row["lowest"], row["highest"]), row["received_at"])
        for row in _SQL.rows(db, "past", {"at": at, "since": moments[: STILL_ROUNDS - 1][-1] if moments else at})
    }
    if out := [row["source"] for row in health_rows if row["probe_at"] is not None]:
        rows = [row for row in rows if row["source"] not in out] + _SQL.rows(db, "facts_of", {"at": at, "sources": out})
    facts: dict[str, list[Fact]] = {}
    for row in rows:
        facts.setdefault(row["source"], []).append(_fact(row))
    return Before(
        rates=rates,
        latest={row["symbol"]: row for row in latest if row["checked_at"] <= now + _AHEAD},
        health_rows=health_rows,
        off_since=dict(db.execute("SELECT symbol, off_since FROM prices.lcw_deviation").fetchall()),
        newest=max((row["checked_at"] for row in health_rows if row["checked_at"] <= now + _AHEAD), default=None),
        _facts=facts,
        _spent={
            row.pop("source"): Spent(**row) for row in _SQL.rows(db, "spent", {"at": at, "midnight": midnight_of(at)})
        },
        _past=past,
    )


def read_lifetime_s(db: DuckDBPyConnection, symbols: Sequence[str], at: datetime) -> float:
    """Seconds for which a response may serve: the wilder the wildest of these coins, the fewer."""
    moves: dict[str, list[tuple[datetime, float]]] = {symbol: [] for symbol in symbols}
    for row in _SQL.rows(db, "moves", {"at": at}):
        moves.setdefault(row["symbol"], []).append((row["priced_at"], row["price"]))
    return lifetime_s([volatility(moves[symbol]) for symbol in symbols])


def read_known_healths(db: DuckDBPyConnection) -> dict[str, Health]:
    """As the last round left them."""
    return {row["source"]: _health(row) for row in query_rows(db, _HEALTHS)}


def _fact(row: Mapping[str, Any]) -> Fact:
    names = ("outcome", "latency_s", "votes", "rejected", "age_s", "retry_at")
    return Fact(row["priced_at"], **{name: row[name] for name in names})


def _chosen(instruments: Instruments, symbols: Sequence[str]) -> dict[str, dict[str, Instrument]]:
    found: dict[str, dict[str, Instrument]] = {}
    for source in (*exchanges(), WITNESS):
        # Without a coin nobody needs the rate of a currency.
        markets = [*_markets(instruments, source, symbols)] if symbols else []
        found[source] = {one.market.symbol: one for one in markets}
    return found


def _markets(instruments: Instruments, source: str, symbols: Sequence[str]) -> Iterator[Instrument]:
    for coin in dict.fromkeys((*symbols, *CURRENCIES)):
        for currency in CURRENCIES:
            found = instruments.market(source, coin, currency)
            if isinstance(found, Instrument):
                yield found
                break


def _health(row: Mapping[str, Any]) -> Health:
    reasons = tuple(Refusal(one["code"], one["fields"]) for one in json.loads(row["reasons"]))
    own = {name: row[name] for name in row if name not in ("source", "since", "reasons", "checked_at")}
    return Health(reasons=reasons, **own)
