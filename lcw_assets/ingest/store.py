"""The second half of every load: what waits in the spool goes into the tables, one transaction a load, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.warehouse.connection import OTHER_ERRORS, VALUE_ERRORS, OpenDatabase
from lcw_assets.warehouse.tables import append

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
        append(db, "raw.pulls", [key | row for row in spooled.responses], long="payload")
    append(db, "ops.quarantine", [key | dict(row) for row in quarantine])
    append(db, "ops.calls", [key | row for row in spooled.attempts])
    append(db, "ops.lock_waits", spooled.lock_wait_rows(clock.lock_wait))
