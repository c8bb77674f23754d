"""The second half of a cycle: everything that waits in the spool goes into the tables, one transaction a cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.market.audit import PageAudit, audit_pages
from lcw_assets.defs.market.facts import as_cycle, cycle_row
from lcw_assets.defs.market.parse import AnsweredPage, parse, table_pages
from lcw_assets.defs.market.shortfall import find_shortfalls
from lcw_assets.ingest import store as ingest
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.load import Load
from lcw_assets.ingest.machine import measure_machine
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.ingest.store import COMPACT_EVERY, append_facts, is_stored
from lcw_assets.warehouse.connection import OpenDatabase, compact
from lcw_assets.warehouse.tables import (
    CLOCKS_DIFFER,
    Merged,
    append,
    append_changed,
    append_row,
    merge,
    one_row,
    transaction,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.defs.monitoring.sla import Sla
    from lcw_assets.defs.monitoring.sla_state import SlaState

# Tables of latest rows, with the values that cannot be below zero.
_LATEST = {
    "market.coins": "rank, rate, volume, cap, delta_hour, delta_day, circulating_supply, total_supply, max_supply",
    "market.exchanges": "markets, volume, bid_total, ask_total, depth, visitors",
}
_GROWING = ("market.coin_ticks", "market.exchange_ticks", "market.overview_ticks", "ops.cycles", "ops.calls")


@dataclass(frozen=True)
class TableState:
    """A table after a store step. Of tables of latest rows also: rows too many for a key, and codes with a value below
    zero. `confirmed_at` is when the latest answer came that the table agrees with.
    """

    rows: int
    duplicates: int = 0
    confirmed_at: datetime | None = None
    negative: Sequence[str] = ()


@dataclass(frozen=True)
class StoredCycle:
    """A cycle that is in the tables now. `row` is its row of `ops.cycles`.

    `merged` is by table: what came for it and how much of that changed it. `quarantined` is by endpoint.
    """

    cycle: Load
    row: Mapping[str, Any]
    merged: Mapping[str, Merged]
    quarantined: Mapping[str, int]
    pages: PageAudit


@dataclass
class Stored:
    """What a store step did: the cycles it stored, oldest first, how each table is now, and how the SLA stands."""

    clock: StoreClock
    cycles: list[StoredCycle] = field(default_factory=list)
    tables: dict[str, TableState] = field(default_factory=dict)
    sla_state: SlaState | None = None

    def of_run(self, run_id: str) -> StoredCycle | None:
        return next((cycle for cycle in reversed(self.cycles) if cycle.cycle.run_id == run_id), None)


def store_pending(
    open_database: OpenDatabase,
    spool: Spool,
    log: Callable[[str], None],
    *,
    database: Path,
    sla: Sla | None = None,
    clock: StoreClock | None = None,
) -> Stored:
    """Store all that waits, in order, each cycle once. Raises `WarehouseError`; the spool then keeps what it has.

    `database` is the file that `open_database` opens; with an `sla`, how the latest cycle stands to it is looked at.
    """
    stored = Stored(clock or StoreClock())

    def finish(db: DuckDBPyConnection, cycles: list[StoredCycle]) -> None:
        stored.tables = _look_at_tables(db, datetime.now(timezone.utc) + CLOCKS_DIFFER)
        if sla and cycles:
            from lcw_assets.defs.monitoring.sla_state import read_sla_state  # 6 ms, after the commit

            stored.sla_state = read_sla_state(db, cycles[-1].row, sla)
        if stored.tables["ops.cycles"].rows % COMPACT_EVERY == 0:
            compact(db)

    store = partial(_store_once, spool, database, stored.clock)
    stored.cycles = ingest.store_pending(open_database, spool, log, store, clock=stored.clock, finish=finish)
    return stored


def _store_once(
    spool: Spool, database: Path, clock: StoreClock, db: DuckDBPyConnection, spooled: Spooled
) -> StoredCycle | None:
    with transaction(db):
        if is_stored(db, spooled):
            return None
        machine = measure_machine("end", spooled=len(spool.files()), database=database)
        return _store_cycle(db, spooled, machine, clock)


def _store_cycle(
    db: DuckDBPyConnection, spooled: Spooled, machine: Mapping[str, Any], clock: StoreClock
) -> StoredCycle:
    cycle, parsed = spooled.load, parse(spooled)
    key = {"cycle_id": cycle.load_id}
    append_facts(db, spooled, clock, parsed.quarantine)
    append(db, "ops.resources", [key | dict(row) for row in (*spooled.machine, machine)])
    coins = _merge_pages(db, "market.coins", "market.coin_ticks", cycle, parsed.coins)
    exchanges = _merge_pages(db, "market.exchanges", "market.exchange_ticks", cycle, parsed.exchanges)
    overview = Merged()
    for page in parsed.overview:
        for record in page.records:
            overview = append_changed(
                db,
                "market.overview_ticks",
                record.model_dump(),
                observed_at=page.received_at,
                currency=cycle.currency,
                cycle_id=cycle.load_id,
            )
    merged = {
        "market.coins": coins,
        "market.coin_ticks": coins,
        "market.exchanges": exchanges,
        "market.exchange_ticks": exchanges,
        "market.overview_ticks": overview,
        "ops.calls": Merged(len(spooled.attempts), len(spooled.attempts)),
        "ops.cycles": Merged(1, 1),
    }
    shortfalls, end = find_shortfalls(spooled, parsed)
    if end:
        shortfalls += end.against(_coins_before(db, cycle))
    row = cycle_row(spooled, shortfalls, merged, sum(parsed.quarantined.values()), clock)
    append_row(db, "ops.loads", row)
    return StoredCycle(cycle, as_cycle(row), merged, parsed.quarantined, audit_pages(parsed.coins))


def _coins_before(db: DuckDBPyConnection, cycle: Load) -> int:
    """How many coins the latest cycle had whose list came whole."""
    row = db.execute(
        "SELECT coins_seen FROM ops.cycles "
        "WHERE status = 'complete' AND source = ? AND currency = ? AND coins_seen > 0 ORDER BY started_at DESC LIMIT 1",
        [cycle.source, cycle.currency],
    ).fetchone()
    return int(row[0]) if row else 0


def _merge_pages(
    db: DuckDBPyConnection, latest: str, ticks: str, cycle: Load, pages: Sequence[AnsweredPage[Any]]
) -> Merged:
    return merge(
        db,
        latest,
        ticks,
        table_pages(pages),
        currency=cycle.currency,
        cycle_id=cycle.load_id,
        not_after=datetime.now(timezone.utc) + CLOCKS_DIFFER,
    )


def _look_at_tables(db: DuckDBPyConnection, not_after: datetime) -> dict[str, TableState]:
    looked = {}
    for table, values in _LATEST.items():
        duplicates = "count(*) - count(DISTINCT hash(code, currency))"
        negative = f"coalesce(list(code) FILTER (least({values}) < 0), [])"
        confirmed = "max(observed_at) FILTER (observed_at <= ?)"
        row = one_row(db, f"SELECT count(*), {duplicates}, {confirmed}, {negative} FROM {table}", [not_after])  # noqa: S608
        looked[table] = TableState(*row)
    counts = one_row(db, f"SELECT {', '.join(f'(SELECT count(*) FROM {table})' for table in _GROWING)}")  # noqa: S608
    looked |= {table: TableState(rows) for table, rows in zip(_GROWING, counts, strict=True)}
    # A row of `overview_ticks` is a change; an answer that changes nothing leaves its body alone.
    [confirmed_at] = one_row(
        db,
        "SELECT max(received_at) FROM raw.pulls AS pull WHERE endpoint = 'overview' "
        "AND received_at > $not_after::TIMESTAMPTZ - INTERVAL 1 DAY AND received_at <= $not_after AND NOT EXISTS ("
        "FROM ops.quarantine WHERE endpoint = 'overview' AND received_at = pull.received_at)",
        {"not_after": not_after},
    )
    looked["market.overview_ticks"] = replace(looked["market.overview_ticks"], confirmed_at=confirmed_at)
    return looked
