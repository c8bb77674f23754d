"""One backfill of a source at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lcw_assets import private_files
from lcw_assets.warehouse.disk import complaint
from lcw_assets.warehouse.spool_file import SpoolError


@contextmanager
def only_one(file: Path, log: Callable[[str], None]) -> Iterator[None]:
    """One backfill of a source at a time: two would ask for the same twice, and share one rate in any case.

    The kernel gives the place on when the process dies. Raises `SpoolError` if the disk does not take the file.
    """
    try:
        private_files.make_folder(file.parent)
        held = private_files.open_file(file, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise SpoolError(complaint(file.parent, error, "files")) from None
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another backfill is running: this one waits until it has ended")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
