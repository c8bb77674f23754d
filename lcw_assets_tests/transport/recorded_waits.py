"""Waits that are recorded and not slept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lcw_assets.transport.deadline import Deadline


@dataclass(frozen=True)
class RecordedWaits(Deadline):
    """A deadline on which every wait is over at once; `waits` are those that were wanted, in seconds."""

    waits: list[float] = field(default_factory=list)

    @classmethod
    def within(cls, seconds: float) -> RecordedWaits:
        return cls(time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.waits.append(seconds)
