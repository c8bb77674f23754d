"""The row of `ops.cycles`: where each second of a cycle went, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.warehouse.errors import LockWait
from lcw_assets.warehouse.tables import Merged


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class StoreClock:
    """A store step's time: since when it runs, and how much of that it waited for the lock.

    `now` is the clock on the wall, and `seconds` a stop-watch, which nobody sets. Who rehearses days in an hour passes
    others.
    """

    now: Callable[[], datetime] = _utc_now
    seconds: Callable[[], float] = time.perf_counter
    lock_wait: LockWait | None = None
    started_at: datetime = field(init=False)
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started_at, self._started = self.now(), self.seconds()

    def waited(self, wait: LockWait) -> None:
        self.lock_wait = wait

    @property
    def lock_wait_s(self) -> float:
        return self.lock_wait.seconds if self.lock_wait else 0.0

    def store_s(self) -> float:
        """Seconds of work so far, the wait for the lock apart."""
        return self.seconds() - self._started - self.lock_wait_s


def cycle_row(
    spooled: Spooled,
    shortfalls: Sequence[str],
    merged: Mapping[str, Merged],
    quarantined: int,
    clock: StoreClock,
) -> dict[str, Any]:
    """Made when everything else of the cycle is written: its commit is the next thing that happens.

    The phases add up to `cycle_s`. What a dead process did not live to measure is null. `shortfalls` say what is
    missing of what was answered.
    """
    cycle, end, attempts = spooled.load, spooled.end, spooled.attempts
    missing = [*(end.missing if end else ["the process died while it pulled"]), *shortfalls]
    came = any(part.seen for table, part in merged.items() if table.startswith("market."))
    committed_at = clock.now()
    return {
        "cycle_id": cycle.load_id,
        "run_id": cycle.run_id,
        "scheduled_at": cycle.scheduled_at,
        "started_at": cycle.started_at,
        "committed_at": committed_at,
        "cycle_s": (committed_at - cycle.clock_started_at).total_seconds(),
        "queue_s": cycle.queue_s,
        "start_s": cycle.start_s,
        "pull_s": end.pull_s if end else None,
        "handover_s": (clock.started_at - end.ended_at).total_seconds() if end else None,
        "store_s": clock.store_s(),
        "lock_wait_s": clock.lock_wait_s,
        "status": "complete" if not missing else "partial" if came else "failed",
        "late_tick": cycle.late_tick,
        "calls": sum(attempt["outcome"] != "deadline" for attempt in attempts),
        "retries": sum(attempt["attempt"] > 1 for attempt in attempts),
        "hedges": sum(attempt["hedge"] for attempt in attempts),
        "bytes": sum(attempt["bytes"] for attempt in attempts),
        "coins_seen": merged["market.coins"].seen,
        "coins_changed": merged["market.coins"].changed,
        "quarantined": quarantined,
        "source": cycle.source,
        "currency": cycle.currency,
        "missing": missing,
    }
