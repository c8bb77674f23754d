"""One backfill of a source at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(file: Path, log: Callable[[str], None]) -> Iterator[None]:
    """One backfill of a source at a time: two would ask for the same twice, and share one rate in any case.

    The kernel gives the place on when the process dies.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another backfill is running: this one waits until it has ended")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
