"""Where a cycle's time counts from, and how much of it is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

PERIOD = timedelta(minutes=1)

# A cycle that was launched late may still fetch for so long: a slow start then costs freshness and not the data.
_LEAST_FETCH_S = 5.0


@dataclass(frozen=True)
class RunClock:
    """`started_at` is the tick; for a manual run, and for a tick that came over a period late, the run's creation.

    A schedule that was down launches its latest missed tick when it comes back, with its old time. Measured from that
    time, every restart would be a breach.
    """

    scheduled_at: datetime | None
    started_at: datetime
    late_tick: bool
    queue_s: float
    start_s: float
    now: datetime

    def fetch_time_s(self, deadline_s: float) -> float:
        """Seconds that the fetch may take, so that it ends at most `deadline_s` after the tick."""
        return max(min(_LEAST_FETCH_S, deadline_s), deadline_s - (self.now - self.started_at).total_seconds())

    def of_round(self, moment: datetime, now: datetime) -> RunClock:
        """The clock of a later load of the same run, which was planned for this moment."""
        planned = moment if self.scheduled_at else None
        return RunClock(planned, moment, self.late_tick, 0.0, max(0.0, (now - moment).total_seconds()), now)


def read_clock(
    *, scheduled_at: datetime | None, run_created_at: datetime, process_started_at: datetime, now: datetime
) -> RunClock:
    """The clock of a run that is about to fetch.

    `queue_s` ends when the run's process exists, `start_s` when it fetches; a process that is older than its run
    (`dagster job execute`, a test) has not queued.
    """
    late = scheduled_at is not None and run_created_at - scheduled_at > PERIOD
    started_at = run_created_at if scheduled_at is None or late else scheduled_at
    ready_at = min(max(process_started_at, started_at), now)
    return RunClock(
        scheduled_at=scheduled_at,
        started_at=started_at,
        late_tick=late,
        queue_s=max(0.0, (ready_at - started_at).total_seconds()),
        start_s=(now - ready_at).total_seconds(),
        now=now,
    )
