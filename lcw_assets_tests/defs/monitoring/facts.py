"""Facts of cycles as a test wants them, in a real database."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from lcw_assets.ingest.measures import Window
from lcw_assets.warehouse.schema import migrate
from lcw_assets.warehouse.tables import append
from lcw_assets_tests.defs.market.cycles import NAMES

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
HOUR = Window(NOON - timedelta(hours=1), NOON)


_kept: list[DuckDBPyConnection] = []


@contextmanager
def database() -> Iterator[DuckDBPyConnection]:
    """An empty one. It is made once and emptied in between: migrating takes thirty times as long, and some tests try
    a hundred windows.
    """
    db = _kept.pop() if _kept else duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    migrate(db)
    yield db
    filled = "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE estimated_size > 0"
    for (table,) in db.execute(f"{filled} AND table_name <> 'schema_versions'").fetchall():
        db.execute(f"TRUNCATE {table}")
    _kept.append(db)


def cycle(number: int, started_at: datetime, cycle_s: float | None, **values: Any) -> dict[str, Any]:
    """A row of `ops.cycles`: two tenths of a second queued, to start, to hand over and to store, the rest to pull."""
    row: dict[str, Any] = {
        "cycle_id": f"{started_at:%Y%m%dT%H%M%S}.000Z-{number:08x}",
        "run_id": f"run-{number}",
        "scheduled_at": started_at.isoformat(),
        "started_at": started_at.isoformat(),
        "committed_at": (
            started_at + timedelta(seconds=cycle_s if cycle_s and math.isfinite(cycle_s) else 0)
        ).isoformat(),
        "cycle_s": cycle_s,
        "queue_s": 0.05,
        "start_s": 0.1,
        "pull_s": None if cycle_s is None else cycle_s - 0.2,
        "handover_s": 0.03,
        "store_s": 0.02,
        "lock_wait_s": 0.0,
        "status": "complete",
        "late_tick": False,
        **dict.fromkeys(("calls", "retries", "hedges", "bytes", "coins_seen", "coins_changed", "quarantined"), 0),
        "source": "lcw",
        "currency": "USD",
        "missing": [],
    }
    return row | values


def call(cycle: Mapping[str, Any], endpoint: str, latency_s: float, **values: Any) -> dict[str, Any]:
    """A row of `ops.calls`."""
    row = {
        "cycle_id": cycle["cycle_id"],
        "source": "lcw",
        "endpoint": endpoint,
        "request": {},
        "started_at": cycle["started_at"],
        "waited_s": 0.0,
        "latency_s": latency_s,
        "attempt": 1,
        "hedge": False,
        "http_status": 200,
        "bytes": 1000,
        "outcome": "ok",
        "error": None,
    }
    return row | values


def load(db: DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """What stands in `ops.cycles` is in `ops.loads`."""
    if table == "ops.cycles":
        table, rows = "ops.loads", [_as_load(row) for row in rows]
    append(db, table, list(rows))


def _as_load(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {shown: name for name, shown in NAMES.items()}
    return {"kind": "fetch_cycle", "detail": {}} | {names.get(name, name): value for name, value in row.items()}


def load_times(db: DuckDBPyConnection, times: Iterable[float | None], window: Window = HOUR) -> None:
    """A cycle for each time, evenly spread over the window."""
    times = list(times)
    step = window.length / max(1, len(times))
    load(db, "ops.cycles", [cycle(number, window.start + number * step, time) for number, time in enumerate(times)])


def machine(cycle: Mapping[str, Any], moment: str, at: datetime, **values: Any) -> dict[str, Any]:
    """A row of `ops.resources`: two processors that have worked for a hundred hours, and idled as long."""
    row = {
        "cycle_id": cycle["cycle_id"],
        "moment": moment,
        "measured_at": at.isoformat(),
        "cpu_busy_s": 360_000.0,
        "cpu_idle_s": 360_000.0,
        "load_1m": 0.5,
        "memory_used": 500,
        "memory_total": 1000,
        **dict.fromkeys(("process_memory", "net_received", "net_sent", "connections", "spool_depth"), 1),
        "database_bytes": 1_000_000,
    }
    return row | values
