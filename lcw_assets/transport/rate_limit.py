"""A token bucket that every process on the machine shares: a small file for each source, under the kernel's lock.

Why not a library: pyrate-limiter 4.5 with its SQLite bucket takes 72 ms to import and 10 ms to open, where a cycle may
spend 5 on this, and its file lock does not work with the filelock of today. This takes a hundredth of a millisecond a
call (`python -m benchmarks.rate_limit`).

The bucket is kept as one moment, the "theoretical arrival time" of the generic cell rate algorithm (ITU-T I.371): when
it would be full again. A call moves it on by 1/rate; it may come as long as that moment is not further away than
burst/rate.
"""

from __future__ import annotations

import fcntl
import math
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_FORMAT = struct.Struct("<4sd")
_MAGIC = b"gcr1"

# No place further ahead is given, so that a moment further ahead is a clock that was set back.
_LONGEST_S = 60.0

# Whoever holds the lock does so for microseconds. Somebody who does not is no reason for a cycle to wait.
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
    """The bucket in `file`. It never stops anybody for longer than the rate says: a file that is missing, corrupt,
    from another version, locked or not writable counts as a full bucket.
    """

    def __init__(self, file: Path, rate: Rate, *, first: bool = True, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._rate = rate
        self._burst = rate.burst if first else max(1, rate.burst - rate.reserve)
        self._clock = clock

    def take(self) -> float:
        """Take one place, and give the seconds to wait for it. Over a minute, none is taken: ask again by then."""
        return self._with_file(self._take)

    def hold(self, seconds: float) -> None:
        """Give no place for so long (a minute at most), to any process: the server has said that there is none."""
        self._with_file(partial(self._hold, min(seconds, _LONGEST_S)))

    def _with_file(self, act: Callable[[int], float]) -> float:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            return 0.0
        try:
            return act(file) if _lock(file) else 0.0
        except OSError:
            return 0.0
        finally:
            os.close(file)

    def _hold(self, seconds: float, file: int) -> float:
        # The next place is then free when the time is over, less the step that taking it adds.
        empty_at = self._clock() + seconds + (self._rate.burst - 1) / self._rate.per_s
        os.pwrite(file, _FORMAT.pack(_MAGIC, max(_read(file), empty_at)), 0)
        return seconds

    def _take(self, file: int) -> float:
        now, step = self._clock(), 1.0 / self._rate.per_s
        full_at = max(now, _read(file))
        if full_at - now > _LONGEST_S + self._rate.burst * step:
            full_at = now
        full_at += step
        wait_s = max(0.0, full_at - now - self._burst * step)
        if wait_s <= _LONGEST_S:
            os.pwrite(file, _FORMAT.pack(_MAGIC, full_at), 0)
        return wait_s


def _read(file: int) -> float:
    content = os.pread(file, _FORMAT.size, 0)
    if len(content) != _FORMAT.size:
        return 0.0
    magic, full_at = _FORMAT.unpack(content)
    return float(full_at) if magic == _MAGIC and math.isfinite(full_at) else 0.0


def _lock(file: int) -> bool:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True
    return False
