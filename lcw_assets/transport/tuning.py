"""How a client behaves in one cycle, from the facts of earlier cycles."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pace:
    """Seconds, for the calls of one endpoint: after which a second request is sent for the same response (null: never),
    and after which an attempt is given up.
    """

    hedge_after_s: float | None = None
    attempt_s: float = 15.0


@dataclass(frozen=True)
class Tuning:
    """Calls in flight at once, second requests that may be sent in all, and the pace of each endpoint."""

    in_flight: int = 4
    hedges: int = 0
    pace: Pace = Pace()
    paces: Mapping[str, Pace] = field(default_factory=dict)

    def of(self, endpoint: str) -> Pace:
        return self.paces.get(endpoint, self.pace)


class HedgeBudget:
    """How many second requests are left. None after a 429, or while all calls to the server fail: they would only
    add to its load.
    """

    def __init__(self, hedges: int) -> None:
        self._left = hedges
        self._lock = threading.Lock()
        self._good = self._bad = 0
        self._limited = False

    def take(self) -> bool:
        with self._lock:
            if self._limited or self._left <= 0 or self._bad > max(2, self._good):
                return False
            self._left -= 1
            return True

    def give_back(self) -> None:
        """It was not sent."""
        with self._lock:
            self._left += 1

    def ended(self, *, good: bool, rate_limited: bool = False) -> None:
        with self._lock:
            self._good += good
            self._bad += not good
            self._limited |= rate_limited
