"""Locks that the processes of one machine share. The kernel keeps them, and drops them when their process dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from lcw_assets.coordination import files


def acquire(fd: int, *, tries: int = 1, pause_s: float = 0.001) -> bool:
    """Take the exclusive lock of an open file or folder, until it is closed. False if another process has it."""
    for number in range(tries):
        if number:
            time.sleep(pause_s)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def wait_for(fd: int) -> None:
    """Take it, however long that takes."""
    fcntl.flock(fd, fcntl.LOCK_EX)


def is_locked(path: Path) -> bool:
    """Is this file locked by a process? Raises `OSError` if it cannot be opened."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def open_lock(file: Path) -> int:
    """A lock file and its folder, made if they are missing. Raises `OSError`."""
    files.make_folder(file.parent)
    return files.open_file(file, os.O_RDWR | os.O_CREAT)
