"""How long storing takes, and how much of that is waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from lcw_assets.warehouse.errors import LockWait

DAY = timedelta(days=1)


def midnight_of(moment: datetime) -> datetime:
    """The beginning of its day; `moment` is in UTC, as all of the database is."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class StoreClock:
    """When a store step began, and how long it waited for the lock.

    `now` is the system clock; `seconds` is a monotonic one. A simulation of days in an hour passes its own.
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
        """Seconds of work so far, without the wait for the lock."""
        return self.seconds() - self._started - self.lock_wait_s
