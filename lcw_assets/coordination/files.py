"""Who may read what this project writes: its user alone, or a group as well (`LCW_READ_GROUP`), whatever the umask.

The data folder says it for all that is in it: its mode is 0700, or 2750 and it belongs to that group. (The 2000 hands
the group on to whatever is made in it, also by DuckDB, which knows nothing of all this.) So nobody has to be told whose
folder it is, and files follow a setting that is changed later.
"""

from __future__ import annotations

import grp
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PRIVATE, _SHARED = 0o700, 0o2750
_OF_OTHERS = 0o077

# What of a data folder is ours to change. Whatever else a user keeps there is behind the folder's own mode.
_OURS = ("spool", "limits", "reports", "*.duckdb", "*.duckdb.wal", "*.duckdb.tmp")


class GroupError(Exception):
    """The data folder cannot be given to the group that is to read it. It is private then."""


def prepare(folder: Path, group: str | None, log: Callable[[str], None]) -> None:
    """Make a data folder, or make one that is there private, to be read by `group` if there is one.

    Says so where that changed a folder. One that is not this user's, or meant for more (`/tmp`, a home), stays as it
    is: what is made in it is private. Whoever writes into one that cannot be made says so. Raises `GroupError`.
    """
    gid, why = _find_group(group) if group else (None, None)
    mode = _PRIVATE if gid is None else _SHARED
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = folder.stat()
    except OSError:
        return
    if not _is_as_wanted(before, mode, gid):
        _prepare(folder, before, mode, gid)
        after = folder.stat()
        if not new and after.st_mode != before.st_mode:
            who = "this user" if gid is None else f"this user and the group {group}"
            log(f"{folder} had mode {stat.S_IMODE(before.st_mode):04o}: from now on {who} may read it, and nobody else")
        if gid is not None and not _is_as_wanted(after, mode, gid):
            why = f"{folder} is not this user's alone: set LCW_DATA_DIR to a folder that is"
    if why:
        raise GroupError(f"LCW_READ_GROUP={group}: {why}")


def make_folder(folder: Path) -> None:
    """A folder with those above it that are missing, each to be read by whoever may read the one that it is in."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):  # another process was faster; or it is a file, and whoever writes into it says so
        folder.mkdir(_PRIVATE)
        if is_shared(folder.parent):
            folder.chmod(_SHARED)


def open_file(path: Path, flags: int) -> int:
    """A file descriptor, as `os.open` gives. The file, which may be new, is to be read as its folder is."""
    fd = os.open(path, flags, 0o600)
    try:
        _tighten(fd, path.parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def write_file(path: Path, text: str, *, sync: bool = False) -> None:
    """Whole or not at all, whoever has it open; with `sync`, on the disk itself when this returns."""
    make_folder(path.parent)
    new = path.with_suffix(".new")
    with os.fdopen(open_file(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def foreign_files(folder: Path, *existing: Path) -> Iterator[None]:
    """While the block lasts, files that a library makes in `folder` get the right mode as well; `existing` get it now.

    It is the umask that does it, so whatever else the process makes meanwhile gets that mode too.
    """
    for path in existing:
        with suppress(FileNotFoundError, PermissionError):  # there is none, or it is somebody else's
            _tighten(path, folder)
    with _UMASK.at_least(0o027 if is_shared(folder) else 0o077):
        yield


def is_shared(folder: Path) -> bool:
    """May the group of the folder, and nobody else, read what is in it?"""
    with suppress(OSError):
        return folder.stat().st_mode & (stat.S_ISGID | _OF_OTHERS) == stat.S_ISGID | 0o050
    return False


class _Umask:
    """The umask of a process has no threads: the first one that wants another sets it, and the last one resets it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: list[int] = []
        self._before = 0

    @contextmanager
    def at_least(self, mask: int) -> Iterator[None]:
        with self._lock:
            if not self._wanted:
                self._before = os.umask(0o077)
            self._wanted.append(mask)
            self._set()
        try:
            yield
        finally:
            with self._lock:
                self._wanted.remove(mask)
                self._set()

    def _set(self) -> None:
        """Of several, the one that lets the fewest read."""
        os.umask(max(self._wanted, default=self._before))


_UMASK = _Umask()


def _is_home(folder: Path) -> bool:
    with suppress(RuntimeError):  # it has none
        return folder == Path.home()
    return False


def _tighten(file: Path | int, folder: Path) -> None:
    mode = 0o640 if is_shared(folder) else 0o600
    found = os.stat(file)  # noqa: PTH116 - a path or a descriptor
    if stat.S_IMODE(found.st_mode) != mode and found.st_uid == os.geteuid():
        os.chmod(file, mode)  # noqa: PTH101


def _find_group(name: str) -> tuple[int | None, str | None]:
    """The id of a group that this user may give files to, by its name or number; or why it is none."""
    try:
        gid = int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        return None, "there is no group of that name"
    if os.geteuid() and gid not in {os.getegid(), *os.getgroups()}:
        return None, "this user is not in that group: `usermod -aG` puts it there, from the next login on"
    return gid, None


def _prepare(folder: Path, before: os.stat_result, mode: int, gid: int | None) -> None:
    if before.st_uid != os.geteuid() or before.st_mode & stat.S_ISVTX or _is_home(folder):
        return
    contents = list(_contents(folder))
    _change(folder, mode, gid)
    for path in contents:
        with suppress(FileNotFoundError):  # it was stored, or sent, since it was listed
            _change(path, mode if path.is_dir() else mode & 0o640, gid)


def _change(path: Path, mode: int, gid: int | None) -> None:
    """Whatever cannot be changed stays as it is: a disk that knows no modes, say. Links are not followed."""
    found = path.lstat()
    if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode):
        return
    with suppress(PermissionError, OverflowError):  # the latter for a number that no group has
        if gid is not None and found.st_gid != gid:
            os.chown(path, -1, gid)
        path.chmod(mode)


def _contents(folder: Path) -> Iterator[Path]:
    for pattern in _OURS:
        for path in folder.glob(pattern):
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from path.rglob("*")


def _is_as_wanted(found: os.stat_result, mode: int, gid: int | None) -> bool:
    return stat.S_IMODE(found.st_mode) == mode and gid in (None, found.st_gid)
