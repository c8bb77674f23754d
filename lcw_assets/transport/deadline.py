"""How much time is left, for every wait of a cycle."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock that many threads share, and that can be called off early.

    `expires_at` is in the seconds of `time.monotonic()`.
    """

    expires_at: float
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    def at_most(self, seconds: float) -> Deadline:
        """`seconds` from now, or this one if that is earlier. It is called off with this one."""
        return replace(self, expires_at=min(self.expires_at, time.monotonic() + seconds))

    def left(self) -> float:
        """Seconds left; 0 once it has passed or was called off."""
        return 0.0 if self._cancelled.is_set() else max(0.0, self.expires_at - time.monotonic())

    def cancel(self) -> None:
        """Call it off: every wait on it returns at once (a wrong key fails all calls, not one)."""
        self._cancelled.set()

    def sleep(self, seconds: float) -> None:
        """Sleep `seconds`, or what is left if that is less."""
        self._cancelled.wait(min(seconds, self.left()))
