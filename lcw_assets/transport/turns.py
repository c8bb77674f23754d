"""Who may send a request now: the places in flight, the pause that the server requested, and the shared rate."""

from __future__ import annotations

import threading
import time

from lcw_assets.coordination.interfaces import Limiter
from lcw_assets.coordination.rate_limit import LONGEST_QUIET_S
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import TransientError

_NO_TIME = "no time was left to ask"


class Turns:
    """So many requests of a client at once, and no more of all processes than the rate allows."""

    def __init__(self, in_flight: int, rate_limit: Limiter | None) -> None:
        self._places = threading.BoundedSemaphore(in_flight)
        self._rate_limit = rate_limit
        self._quiet_until = 0.0

    def take(self, endpoint: str, deadline: Deadline) -> None:
        """Wait for a turn. Raises `TransientError` if there is none in time."""
        pause = self._quiet_until - time.monotonic()
        if not deadline.left() or pause >= deadline.left():
            raise TransientError(endpoint, _NO_TIME, outcome="deadline", retry_after_s=max(0.0, pause))
        deadline.sleep(pause)
        if not self._places.acquire(timeout=deadline.left()):
            raise TransientError(endpoint, _NO_TIME, outcome="deadline")
        while wait_s := self._rate_limit.take() if self._rate_limit else 0.0:
            if wait_s >= deadline.left():
                self.release()
                reason = f"{_NO_TIME}: the rate limit lets nobody ask for another {wait_s:.1f} s"
                raise TransientError(endpoint, reason, outcome="deadline", retry_after_s=wait_s)
            deadline.sleep(wait_s)
        if not deadline.left():  # it was called off meanwhile
            self.release()
            raise TransientError(endpoint, _NO_TIME, outcome="deadline")

    def take_now(self) -> bool:
        """A place, if one is free at this moment. It is not counted by the rate."""
        return self._places.acquire(blocking=False)

    def rate_is_used_up(self) -> bool:
        return bool(self._rate_limit and self._rate_limit.take())

    def release(self) -> None:
        self._places.release()

    def pause(self, seconds: float) -> None:
        """The server wants no calls for so long, from any process."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + min(seconds, LONGEST_QUIET_S))
        if self._rate_limit:
            self._rate_limit.pause(seconds)
