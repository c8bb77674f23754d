"""Slow cycles, each with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.monitoring import SQL
from lcw_assets.defs.monitoring.causes import PHASES, CallFact, LockWaitFact, Usual, explain
from lcw_assets.defs.monitoring.codes import Cause, Code, Failure
from lcw_assets.defs.monitoring.machine import Machine
from lcw_assets.ingest.measures import Window
from lcw_assets.warehouse.tables import append, one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EVER = datetime(2000, 1, 1, tzinfo=timezone.utc)

_OWN = ("cycle_id", "run_id", "started_at", "cycle_s", "status")

# Explained at once: a year in which every cycle was slow would otherwise not fit into memory. The worst come first,
# the rest with the reports that follow.
_MOST = 10_000


@dataclass(frozen=True)
class SlowCycle:
    """A cycle with its seconds from tick to commit."""

    cycle_id: str
    run_id: str
    started_at: datetime
    cycle_s: float
    status: str
    cause: Cause


def read_slowest(
    db: DuckDBPyConnection,
    window: Window,
    *,
    over_s: float,
    most: int,
    usual: Usual,
    new: bool = False,
) -> list[SlowCycle]:
    """At most `most` cycles of the window that took over `over_s`, the slowest first; with `new`, not yet reported."""
    rows = SQL.rows(db, "slowest", {**window.parameters(), "over_s": over_s, "most": most, "new": new})
    return [_slow_cycle(row, usual) for row in rows]


def read_usual(db: DuckDBPyConnection, window: Window) -> Usual:
    """The least seconds of each phase over a window, and how busy the machine was in the median of its cycles."""
    [values] = SQL.rows(db, "usual", window.parameters())
    return Usual({phase: values.pop(phase) for phase in PHASES}, Machine(**values))


def add_slow_cycles(db: DuckDBPyConnection, *, over_s: float, now: datetime) -> tuple[list[SlowCycle], int]:
    """Bring `reports.slow_cycles` up to date. Returns the added ones, the newest first, and its number of rows."""
    window = Window(_EVER, now)
    found = read_slowest(db, window, over_s=over_s, most=_MOST, usual=read_usual(db, window), new=True)
    added = sorted(found, key=lambda slow: slow.started_at, reverse=True)
    rows = [
        vars(slow) | {"started_at": slow.started_at.isoformat(), "cause": str(slow.cause), "found_at": now.isoformat()}
        for slow in added
    ]
    append(db, "reports.slow_cycles", rows)
    [count] = one_row(db, "SELECT count(*) FROM reports.slow_cycles")
    return added, count


def read_failures(db: DuckDBPyConnection, window: Window) -> Cause | None:
    """The most frequent failure of calls in a window; null if none failed."""
    row = db.execute(
        "SELECT endpoint, http_status, outcome, count(*) AS times, sum(times) OVER () FROM ops.cycle_calls "
        "WHERE started_at >= $start AND started_at < $end AND outcome NOT IN ('ok', 'superseded', 'deadline') "
        "GROUP BY endpoint, http_status, outcome ORDER BY times DESC, endpoint LIMIT 1",
        window.parameters(),
    ).fetchone()
    if row is None:
        return None
    endpoint, status, outcome, times, failed = row
    failure = Failure(outcome, status)
    return Cause(Code.failed_calls, {"times": times, "failed": failed, "failure": failure, "endpoint": endpoint})


def _slow_cycle(row: Mapping[str, Any], usual: Usual) -> SlowCycle:
    calls = [CallFact.from_row(call) for call in row["attempts"] or ()]
    machine = Machine(**{name: row[name] for name in Machine.__annotations__})
    waits = [LockWaitFact(*(wait[name] for name in LockWaitFact.__annotations__)) for wait in row["lock_waits"] or ()]
    phases = {phase: row[phase] for phase in PHASES}
    return SlowCycle(**{name: row[name] for name in _OWN}, cause=explain(phases, calls, usual, machine, waits))
