"""Who may read what this project writes: its user alone, or a group as well (`LCW_READ_GROUP`), whatever the umask.

The data folder says it for all that is in it: its mode is 0700, or 2750 and it belongs to that group. (With the 2000,
what is made in it inherits the group, also if DuckDB makes it.) So no other code needs to know the group, and files
follow a setting that is changed later.
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

# The parts of a data folder whose modes we change. Other files of the user are protected by the mode of the folder.
_OURS = ("spool", "limits", "cache", "reports", "*.duckdb", "*.duckdb.wal", "*.duckdb.tmp")


class GroupError(Exception):
    """The data folder cannot be given to its group of readers. It is private then."""


def prepare(folder: Path, group: str | None, log: Callable[[str], None]) -> None:
    """Make a data folder, or make an existing one private; `group`, if any, may read it.

    Reports a changed folder. One that belongs to another user or has other uses (`/tmp`, a home) stays as it is; what
    is made in it is private. If it cannot be made, the first write into it raises. Raises `GroupError`.
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
    """Make a folder and its missing parents, each readable by those who may read its own parent."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):  # another process was faster; or it is a file, and a write into it raises
        folder.mkdir(_PRIVATE)
        if is_shared(folder.parent):
            folder.chmod(_SHARED)


def open_file(path: Path, flags: int) -> int:
    """A file descriptor, as of `os.open`. The file, which may be new, is as readable as its folder."""
    fd = os.open(path, flags, 0o600)
    try:
        _tighten(fd, path.parent)
    except BaseException:
        os.close(fd)
        raise
    return fd


def write_file(path: Path, content: str | bytes, *, sync: bool = False, shared: bool = False) -> None:
    """Write a file whole or not at all, also while others read it; with `sync`, it is on the disk when this returns.

    `shared`: others may write it in the same moment; the last one counts.
    """
    make_folder(path.parent)
    own = f".{os.getpid()}-{threading.get_native_id()}" if shared else ""
    new = path.with_suffix(f"{own}.new")
    with os.fdopen(open_file(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    new.replace(path)


@contextmanager
def foreign_files(folder: Path, *existing: Path) -> Iterator[None]:
    """While the block lasts, files that a library makes in `folder` get the right mode as well; `existing` get it now.

    It sets the umask, so other files that the process makes meanwhile get that mode too.
    """
    for path in existing:
        with suppress(FileNotFoundError, PermissionError):  # it does not exist, or belongs to another user
            _tighten(path, folder)
    with _UMASK.at_least(0o027 if is_shared(folder) else 0o077):
        yield


def is_shared(folder: Path) -> bool:
    """May the folder's group, and no others, read what is in it?"""
    with suppress(OSError):
        return folder.stat().st_mode & (stat.S_ISGID | _OF_OTHERS) == stat.S_ISGID | 0o050
    return False


class _Umask:
    """All threads share the umask: the first one that needs another sets it, and the last one resets it."""

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
        """Of several, the strictest one."""
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
    """The id of a group that this user may give files to, by its name or number; or why there is none."""
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
        with suppress(FileNotFoundError):  # it was stored or sent meanwhile
            _change(path, mode if path.is_dir() else mode & 0o640, gid)


def _change(path: Path, mode: int, gid: int | None) -> None:
    """A mode that cannot be changed stays, such as on a disk without modes. Links are not followed."""
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
