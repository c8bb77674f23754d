"""The second half of a sync: every answer that waits in the spool goes into the tables, one transaction each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from lcw_assets.alerts.incidents import Alert
from lcw_assets.defs.registry.apply import apply
from lcw_assets.defs.registry.facts import Phases, SyncResult, sync_row
from lcw_assets.defs.registry.layout import MOST_UNORDERED, cluster, unordered
from lcw_assets.defs.registry.news import alerts, read_news, untold
from lcw_assets.defs.registry.plausible import Limits
from lcw_assets.defs.registry.state import RegistryState, read_state
from lcw_assets.ingest import store as ingest
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.load import Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled, quarantined
from lcw_assets.ingest.store import COMPACT_EVERY, append_facts
from lcw_assets.sources.kucoin_futures.records import Contracts, NoContractsError, Refusal, read_contracts
from lcw_assets.warehouse.connection import OpenDatabase, compact
from lcw_assets.warehouse.tables import CLOCKS_DIFFER, append_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Rules:
    """What a user may set: when an answer is doubted, and how long a contract is new."""

    limits: Limits = field(default_factory=Limits)
    new_for: timedelta = timedelta(hours=24)


@dataclass(frozen=True)
class StoredSync:
    """A sync that is in the tables now. `row` is its row of `ops.loads`; `news` are names by event."""

    sync: Load
    row: Mapping[str, Any]
    found: SyncResult
    phases: Phases
    news: Mapping[str, Sequence[str]]


@dataclass
class Stored:
    """The syncs that were stored, oldest first, and how the tables are now."""

    now: datetime
    clock: StoreClock = field(default_factory=StoreClock)
    syncs: list[StoredSync] = field(default_factory=list)
    state: RegistryState | None = None


def store_pending(
    open_database: OpenDatabase,
    spool: Spool,
    log: Callable[[str], None],
    *,
    rules: Rules,
    tell: Callable[[Sequence[Alert]], None],
    own: Spooled | None = None,
    now: datetime | None = None,
) -> Stored:
    """Store all that waits, in order, each sync once. Raises `WarehouseError`; the spool then keeps what it has.

    `own` is as in `ingest.store`. `tell` gets what is to be said to people, after the commit and before the spool
    forgets the sync: so it is said once, whenever a process dies.
    """
    stored = Stored(now or datetime.now(timezone.utc))
    closing = 0.0

    def begin(db: DuckDBPyConnection) -> None:
        # So a commit writes the file at once, and not all of the answer into a log first that closing would empty a
        # moment later: a seventh of the time at 5,000 contracts.
        db.execute("SET checkpoint_threshold = '1KB'")
        opening.append(stored.clock.store_s())

    def finish(db: DuckDBPyConnection, _syncs: list[StoredSync]) -> None:
        nonlocal closing
        seen = stored.state
        if seen and seen.syncs % COMPACT_EVERY == 0 and unordered(db, seen.events) >= MOST_UNORDERED:
            cluster(db)
        closing = time.perf_counter()

    opening: list[float] = []  # of the file, which counts for the first
    store = partial(_store_one, rules, stored, tell, opening)
    stored.syncs = ingest.store_pending(
        open_database, spool, log, store, clock=stored.clock, own=own, begin=begin, finish=finish
    )
    if stored.syncs:
        stored.syncs[-1].phases.write += time.perf_counter() - closing
    return stored


def _store_one(
    rules: Rules,
    stored: Stored,
    tell: Callable[[Sequence[Alert]], None],
    opening: list[float],
    db: DuckDBPyConnection,
    spooled: Spooled,
) -> StoredSync | None:
    sync, phases = spooled.load, Phases(load=sum(opening))
    with phases.of("load"):
        # A process may have died between its commit and the removal of the file.
        known = db.execute("SELECT observed_at FROM ops.loads WHERE load_id = ?", [sync.load_id]).fetchone()
    done = None
    if known is None:
        phases.api = spooled.end.pull_s if spooled.end else None
        started, before = time.perf_counter(), phases.total
        with transaction(db):
            done = _store_sync(db, spooled, rules, phases, stored)
        # What is in no other phase: the commit.
        phases.write += max(0.0, time.perf_counter() - started - (phases.total - before))
        opening.clear()
    observed_at = done.found.observed_at if done else known[0] if known else None
    if observed_at:
        news = alerts(done.news if done else read_news(db, sync.load_id, observed_at), observed_at, sync.run_id)
        tell(untold(db, news) if news and not done else news)
    return done


def _store_sync(db: DuckDBPyConnection, spooled: Spooled, rules: Rules, phases: Phases, stored: Stored) -> StoredSync:
    sync = spooled.load
    found, refused = _apply_answer(db, spooled, rules, phases, stored.now)
    with phases.of("write"):
        kept = _is_kept(db, found, refused, sync.source, stored.now)
        append_facts(db, spooled, stored.clock, refused, keep_bodies=kept)
    with phases.of("checks"):
        told = found.changes.listed or found.changes.relisted or found.changes.delisted
        news = read_news(db, sync.load_id, found.observed_at) if told and found.observed_at else {}
        stored.state = read_state(db, stored.now, failed=found.status == "failed")
    row = sync_row(spooled, found, len(refused), phases, stored.clock)
    append_row(db, "ops.loads", row)
    if stored.state.syncs % COMPACT_EVERY == 0:
        compact(db)  # now, because it is the commit that writes the file
    return StoredSync(sync, row, found, phases, news)


def _is_kept(
    db: DuckDBPyConnection, found: SyncResult, refused: Sequence[Mapping[str, Any]], source: str, now: datetime
) -> bool:
    """Is the answer to be kept to the letter? Once an hour, whenever it was not applied, and for a new refusal.

    All of what it says is in the tables, with what was there before. Every answer would be 1 GB a day, and a tenth of a
    sync's time at 5,000 contracts.
    """
    if found.status != "applied":
        return True
    hour = [source, (found.observed_at or now) - timedelta(hours=1), now + CLOCKS_DIFFER]
    within = "WHERE source = ? AND received_at > ? AND received_at <= ?"
    if db.execute(f"SELECT 1 FROM raw.pulls {within} LIMIT 1", hour).fetchone() is None:  # noqa: S608 - our own
        return True
    if not refused:
        return False
    told = db.execute(f"SELECT DISTINCT reason FROM ops.quarantine {within}", hour)  # noqa: S608 - our own
    return not {row["reason"] for row in refused}.issubset(reason for (reason,) in told.fetchall())


def _apply_answer(
    db: DuckDBPyConnection, spooled: Spooled, rules: Rules, phases: Phases, now: datetime
) -> tuple[SyncResult, list[dict[str, Any]]]:
    """What came of the answer, and the rows of `ops.quarantine`."""
    refused = spooled.quarantine()
    why = spooled.end.missing if spooled.end else ["the process died while it asked"]
    found = SyncResult("failed", reason="; ".join(why) or "nothing was answered")
    for row in spooled.answers:
        with phases.of("load"):
            try:
                contracts = read_contracts(row["payload"])
            except NoContractsError as error:  # an answer that an older version took
                contracts = Contracts((), [Refusal(str(error), 1, row["payload"])])
            read_contracts.cache_clear()  # nobody reads it a third time, and 5,000 contracts are 40 MB
        refused += [quarantined(row, _say(refusal), refusal.text) for refusal in contracts.refusals]
        if contracts.records or not contracts.refusals:
            found = apply(
                db,
                contracts.records,
                observed_at=datetime.fromisoformat(row["received_at"]),
                now=now,
                sync_id=spooled.load.load_id,
                limits=rules.limits,
                new_for=rules.new_for,
                phases=phases,
            )
    return found, refused


def _say(refusal: Refusal) -> str:
    return refusal.reason if refusal.records == 1 else f"{refusal.reason} ({refusal.records} records; this is one)"
