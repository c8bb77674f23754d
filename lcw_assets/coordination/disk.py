"""Why a disk does not take what is written to it, and what to do."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, or set LCW_DATA_DIR to another disk",
    errno.EDQUOT: "your disk quota is used up: free some space, or set LCW_DATA_DIR to another disk",
    errno.EFBIG: "the disk takes no more of this file: set LCW_DATA_DIR to another disk",
    errno.EROFS: "the disk is read-only: make it writable, or set LCW_DATA_DIR to a folder that is",
    errno.EACCES: "it may not be written to: change its permissions, or set LCW_DATA_DIR to another folder",
    errno.EPERM: "it may not be written to: set LCW_DATA_DIR to another folder",
    errno.EIO: "the disk fails: set LCW_DATA_DIR to another one, and check this one",
}
_NO_INODE = "no inode is free (`df -i`): delete files that nobody needs, or set LCW_DATA_DIR to another disk"


def complaint(folder: Path, error: OSError, what: str = "responses") -> str:
    """One line: `data takes no responses (No space left on device): the disk is full: …`."""
    advice = _ADVICE.get(error.errno or 0, "set LCW_DATA_DIR to a folder that can be written to")
    if error.errno == errno.ENOSPC and _has_no_inode(folder):
        advice = _NO_INODE
    return f"{folder} takes no {what} ({error.strerror}): {advice}"


def read_error(text: str) -> OSError | None:
    """The error of the operating system that a library's message ends in, if it is one of a disk."""
    return next((OSError(code, os.strerror(code)) for code in _ADVICE if os.strerror(code) in text), None)


def _has_no_inode(folder: Path) -> bool:
    with suppress(OSError):
        free = os.statvfs(folder)
        return free.f_files > 0 and free.f_favail == 0 and free.f_bavail > 0
    return False
