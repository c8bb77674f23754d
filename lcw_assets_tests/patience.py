"""Waiting for what is going to happen, on any machine."""

from __future__ import annotations

import time
from collections.abc import Callable

# What hangs must end some day; what is slow, on a machine with forty others, must not.
PATIENCE_S = 600.0


def until(true: Callable[[], object], *, every_s: float = 0.05) -> None:
    """Wait until it is `true`, checked every so many seconds."""
    ends = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(every_s)
