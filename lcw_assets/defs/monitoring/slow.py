"""Slow cycles, each with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.monitoring import SQL
from lcw_assets.defs.monitoring.causes import PHASES, CallFact, LockWaitFact, Usual, explain, failure
from lcw_assets.defs.monitoring.machine import Machine
from lcw_assets.ingest.measures import Window
from lcw_assets.warehouse.tables import append, one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EVER = datetime(2000, 1, 1, tzinfo=timezone.utc)

# Explained at once: a year in which every cycle was slow would otherwise not fit into memory. The worst come first,
# the rest with the reports that follow.
_MOST = 10_000


@dataclass(frozen=True)
class SlowCycle:
    """A cycle with its seconds from tick to commit, by phase (null where a dead process could not tell)."""

    cycle_id: str
    run_id: str
    started_at: datetime
    cycle_s: float
    status: str
    phases: Mapping[str, float | None]
    cause: str


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
    """Bring `reports.slow_cycles` up to date. Gives those that were added, the newest first, and how many it has."""
    window = Window(_EVER, now)
    found = read_slowest(db, window, over_s=over_s, most=_MOST, usual=read_usual(db, window), new=True)
    added = sorted(found, key=lambda slow: slow.started_at, reverse=True)
    append(
        db,
        "reports.slow_cycles",
        [
            {
                **{name: getattr(slow, name) for name in ("cycle_id", "run_id", "cycle_s", "status", "cause")},
                "started_at": slow.started_at.isoformat(),
                "found_at": now.isoformat(),
            }
            for slow in added
        ],
    )
    [rows] = one_row(db, "SELECT count(*) FROM reports.slow_cycles")
    return added, rows


def read_failures(db: DuckDBPyConnection, window: Window) -> list[str]:
    """What most of the failed calls of a window met, in words: one line, or none if none failed."""
    row = db.execute(
        "SELECT endpoint, http_status, outcome, count(*) AS times, sum(times) OVER () FROM ops.cycle_calls "
        "WHERE started_at >= $start AND started_at < $end AND outcome NOT IN ('ok', 'superseded', 'deadline') "
        "GROUP BY endpoint, http_status, outcome ORDER BY times DESC, endpoint LIMIT 1",
        window.parameters(),
    ).fetchone()
    if row is None:
        return []
    endpoint, status, outcome, times, failures = row
    return [f"{times} of {failures} failed calls met {failure(outcome, status)} at {endpoint}"]


def _slow_cycle(row: Mapping[str, Any], usual: Usual) -> SlowCycle:
    phases = {phase: row[phase] for phase in PHASES}
    calls = [CallFact.from_row(call) for call in row["attempts"] or ()]
    machine = Machine(**{name: row[name] for name in Machine.__annotations__})
    waits = [
        LockWaitFact(**{name: wait[name] for name in LockWaitFact.__annotations__}) for wait in row["lock_waits"] or ()
    ]
    return SlowCycle(
        cycle_id=row["cycle_id"],
        run_id=row["run_id"],
        started_at=row["started_at"],
        cycle_s=row["cycle_s"],
        status=row["status"],
        phases=phases,
        cause=explain(phases, calls, usual, machine, waits),
    )
