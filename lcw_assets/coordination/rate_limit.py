"""A token bucket that every process on the machine shares: a small file for each source, under the kernel's lock.

Why not a library: pyrate-limiter 4.5 with its SQLite bucket takes 72 ms to import and 10 ms to open, where a cycle may
spend 5 on this, and its file lock does not work with current filelock. This takes a hundredth of a millisecond a call
(`python -m benchmarks.rate_limit`).

The bucket is kept as one moment, the "theoretical arrival time" of the generic cell rate algorithm (ITU-T I.371): when
it would be full again. A call moves it on by 1/rate; it may come as long as that moment is not further away than
burst/rate. The file also has the end of a pause that the server requested: a `Retry-After` that outlasts its cycle
holds for later processes as well.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lcw_assets.coordination import locks

_FORMAT = struct.Struct("<4sdd")
_MAGIC = b"gcr2"

# The longest pause that a server may request: a mistake of the server must not cost a day.
LONGEST_QUIET_S = 600.0

# Processes keep the lock for microseconds. A cycle does not wait for one that keeps it longer.
_LOCK_TRIES = 20
_LOCK_PAUSE_S = 0.001


@dataclass(frozen=True)
class Rate:
    """Calls a second in the long run, and how many may come at once after a pause.

    `reserve` of these are for callers that come first (the minute cycle); others (backfills) wait for the rest.
    """

    per_s: float
    burst: int
    reserve: int = 0


class RateLimit:
    """The bucket in `file`. No call waits for longer than the rate requires: a file that is missing, corrupt, from
    another version, locked or not writable counts as a full bucket.
    """

    def __init__(self, file: Path, rate: Rate, *, first: bool = True, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._rate = rate
        self._burst = rate.burst if first else max(1, rate.burst - rate.reserve)
        self._clock = clock

    def take(self) -> float:
        """Acquire a place and return 0; or acquire none and return the seconds after which to try again.

        Places cannot be reserved: a waiting backfill would be ahead of a cycle that comes later.
        """
        return self._locked(self._take)

    def pause(self, seconds: float) -> None:
        """The server wants no calls for so long."""
        self._locked(lambda file: self._pause(file, min(seconds, LONGEST_QUIET_S)))

    def _locked(self, work: Callable[[int], float]) -> float:
        try:
            file = locks.open_lock(self._file)
        except OSError:
            return 0.0
        try:
            return work(file) if locks.acquire(file, tries=_LOCK_TRIES, pause_s=_LOCK_PAUSE_S) else 0.0
        except OSError:
            return 0.0
        finally:
            os.close(file)

    def _take(self, file: int) -> float:
        now, step = self._clock(), 1.0 / self._rate.per_s
        full_at, quiet_until = self._read(file, now)
        wait_s = max(quiet_until - now, full_at + step - now - self._burst * step, 0.0)
        if wait_s > 1e-6:  # less is the rounding of floats, and no sleep is that short
            return wait_s
        os.pwrite(file, _FORMAT.pack(_MAGIC, full_at + step, quiet_until), 0)
        return 0.0

    def _pause(self, file: int, seconds: float) -> float:
        now = self._clock()
        full_at, quiet_until = self._read(file, now)
        os.pwrite(file, _FORMAT.pack(_MAGIC, full_at, max(quiet_until, now + seconds)), 0)
        return seconds

    def _read(self, file: int, now: float) -> tuple[float, float]:
        """When the bucket is full again, and when the pause ends: not before `now`, and not later than possible."""
        content = os.pread(file, _FORMAT.size, 0)
        magic, full_at, quiet_until = _FORMAT.unpack(content) if len(content) == _FORMAT.size else (b"", now, now)
        # A time later than possible was written before a clock was set back.
        furthest = now + self._rate.burst / self._rate.per_s + 1.0
        return (
            full_at if magic == _MAGIC and now < full_at <= furthest else now,
            quiet_until if magic == _MAGIC and now < quiet_until <= now + LONGEST_QUIET_S else now,
        )
