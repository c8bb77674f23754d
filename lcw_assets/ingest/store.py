"""The second half of every load: what waits in the spool goes into the tables, one transaction a load, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.facts import load_row
from lcw_assets.ingest.hooks import Outcome, StoredLoad
from lcw_assets.ingest.load import PROCESS_DIED
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.warehouse.connection import OTHER_ERRORS, VALUE_ERRORS, OpenDatabase, compact
from lcw_assets.warehouse.tables import append, append_row, one_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")

# Every 30th load merges the small row groups that each load leaves, in 0.1 s. Merging in every load would soon take
# 0.3 s each; without merging, every cycle would be 0.2 ms slower than the one before.
COMPACT_EVERY = 30


def store_pending(
    open_database: OpenDatabase,
    spool: Spool,
    log: Callable[[str], None],
    store: Callable[[DuckDBPyConnection, Spooled], T | None],
    *,
    clock: StoreClock,
    own: Spooled | None = None,
    config: Mapping[str, Any] = MappingProxyType({"threads": 1}),
    begin: Callable[[DuckDBPyConnection], None] = lambda _db: None,
    finish: Callable[[DuckDBPyConnection, list[T]], None] = lambda _db, _stored: None,
) -> list[T]:
    """Give each load that waits to `store`, in order. It returns null for one that is in the tables already.

    Raises `WarehouseError`; the spool then keeps what it has. `own` is the one that this process has just spooled: its
    file exists as well, and is not read again. `config` is DuckDB's: one thread is enough for the thousand
    rows of a load. `begin` and `finish` run before and after all of them.
    """
    with open_database(on_wait=clock.waited, config=config) as db:
        begin(db)
        drained = spool.drain(partial(store, db), log, own=own, value_errors=VALUE_ERRORS, other_errors=OTHER_ERRORS)
        stored = [one for one in drained if one is not None]
        finish(db, stored)
    return stored


def store_once(
    db: DuckDBPyConnection,
    spooled: Spooled,
    clock: StoreClock,
    store: Callable[[DuckDBPyConnection, Spooled], Outcome],
    *,
    detail: Callable[[Outcome], Mapping[str, Any]] = lambda outcome: outcome.detail,
) -> StoredLoad | None:
    """One load in one transaction: its tables by `store`, its facts, its row of `ops.loads`. Null if it is there.

    Every 30th load of a kind merges small row groups before its commit, which may be what writes the file.
    """
    if is_stored(db, spooled):
        return None
    with transaction(db):
        outcome = store(db, spooled)
        append_facts(db, spooled, clock, outcome.quarantine, keep_bodies=outcome.keep_bodies)
        row = _row(spooled, clock, outcome, detail)
        append_row(db, "ops.loads", row)
        [loads] = one_row(db, "SELECT count(*) FROM ops.loads WHERE kind = ?", [spooled.load.kind])
        if loads % COMPACT_EVERY == 0:
            compact(db)
    return StoredLoad(spooled.load, row, outcome)


def _row(
    spooled: Spooled, clock: StoreClock, outcome: Outcome, detail: Callable[[Outcome], Mapping[str, Any]]
) -> dict[str, Any]:
    missing = [*(spooled.end.missing if spooled.end else [PROCESS_DIED]), *outcome.missing]
    got = outcome.seen or outcome.came
    return load_row(
        spooled,
        clock,
        status=outcome.status or ("complete" if not missing else "partial" if got else "failed"),
        missing=missing,
        seen=outcome.seen,
        changed=outcome.changed,
        quarantined=len(outcome.quarantine) if outcome.quarantined is None else outcome.quarantined,
        observed_at=outcome.observed_at,
        detail=detail(outcome),
    )


def is_stored(db: DuckDBPyConnection, spooled: Spooled) -> bool:
    """A process may have died between its commit and the removal of the file."""
    return db.execute("SELECT 1 FROM ops.loads WHERE load_id = ?", [spooled.load.load_id]).fetchone() is not None


def append_facts(
    db: DuckDBPyConnection,
    spooled: Spooled,
    clock: StoreClock,
    quarantine: Iterable[Mapping[str, Any]],
    *,
    keep_bodies: bool = True,
) -> None:
    """What every load leaves besides its own tables: the responses as they came, what was refused, calls, waits."""
    key = {"cycle_id": spooled.load.load_id}
    if keep_bodies:
        append(db, "raw.pulls", [key | row for row in _sent(spooled.responses)], long="payload")
    append(db, "ops.quarantine", [key | dict(row) for row in quarantine])
    append(db, "ops.calls", [key | row for row in spooled.attempts])
    append(db, "ops.lock_waits", spooled.lock_wait_rows(clock.lock_wait))


def _sent(responses: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What servers sent: of a response that has not changed, only a 304; of one from the cache, nothing. Their bodies
    were stored when they first came.
    """
    for row in responses:
        origin = row.get("origin", "fresh")
        if origin == "unchanged":
            yield {**row, "http_status": 304, "payload": ""}
        elif origin != "cached":
            yield dict(row)
