"""One backfill of a source at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lcw_assets.coordination import locks
from lcw_assets.coordination.disk import complaint
from lcw_assets.ingest.spool_file import SpoolError


@contextmanager
def only_one(file: Path, log: Callable[[str], None]) -> Iterator[None]:
    """One backfill of a source at a time: two would ask for the same twice, and share one rate in any case.

    The kernel gives the place on when the process dies. Raises `SpoolError` if the disk does not take the file.
    """
    try:
        lock = locks.open_lock(file)
    except OSError as error:
        raise SpoolError(complaint(file.parent, error, "files")) from None
    try:
        if not locks.acquire(lock):
            log("another backfill is running: this one waits until it has ended")
            locks.wait_for(lock)
        yield
    finally:
        os.close(lock)
