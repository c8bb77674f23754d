"""Where responses are safe: a file a cycle, written as they arrive, gone only when the database has them.

While its process lives, an unfinished file is locked; the kernel drops the lock with the process. So an unfinished
file without a lock belongs to a dead process: the next load stores what it has.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from lcw_assets.coordination import files, locks
from lcw_assets.coordination.disk import complaint
from lcw_assets.ingest.load import Load
from lcw_assets.ingest.spool_file import Spooled, SpoolError, as_line, read_spooled
from lcw_assets.ingest.spool_writer import CEILING, SpoolWriter
from lcw_assets.warehouse.errors import LockWait, UnstorableError, WarehouseError

T = TypeVar("T")

# A cycle spools 2 MB, and DuckDB writes as much again. With less free space than this, no credits are spent at all.
_FREE_NEEDED = 50 * 1024 * 1024

# Tries to store a file, and seconds between two that count. What ends the process (memory, a fault in DuckDB) would
# do so each minute for ever. Tries within a moment count once: somebody may kill several processes in a row.
_TRIES, _APART_S = 3, 30.0


class Spool:
    """The folder of spooled cycles of one source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def open(self, load: Load) -> Iterator[SpoolWriter]:
        """A file for this cycle. Raises `SpoolError` before any call is made if the disk does not take it."""
        path = self.folder / f"{load.load_id}.jsonl"
        try:
            files.make_folder(self.folder)
            free = shutil.disk_usage(self.folder).free
            if free < _FREE_NEEDED:
                raise SpoolError(
                    f"{self.folder}: {free / 1e6:.0f} MB are free, and a cycle asks for {_FREE_NEEDED / 1e6:.0f} MB: "
                    "nothing was asked for. Free some space, or set LCW_DATA_DIR to another disk"
                )
            self._sweep()
            # Locked and begun under another name: no other process may take it for that of a dead cycle.
            hidden = path.with_suffix(".new")
            fd = files.open_file(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        except OSError as error:
            raise SpoolError(complaint(self.folder, error)) from None
        writer = SpoolWriter(fd, path, CEILING)
        try:
            locks.wait_for(fd)
            writer.load(load)
            hidden.rename(path)
            _sync_folder(self.folder)
            yield writer
        finally:
            writer.close()

    def pending(self) -> list[Path]:
        """The cycles that wait to be stored, oldest first: finished ones, and those whose process has died."""
        return [path for path in self.files() if not _is_being_written(path)]

    def files(self) -> list[Path]:
        """Every cycle that is spooled, oldest first: those that wait, and those that are still written."""
        return sorted(path for path in self.folder.glob("*.jsonl") if path.is_file())

    def of_run(self, run_id: str) -> list[Path]:
        """The loads of a run, oldest first: one a try."""
        return [path for path in self.files() if f"-{run_id[:8]}" in path.name]

    def read(self, path: Path) -> Spooled | None:
        """A waiting cycle, or `None` if another process has stored it by now. Raises `ValueError` if it is not one."""
        return read_spooled(path)

    def drain(
        self,
        store: Callable[[Spooled], T],
        log: Callable[[str], None],
        *,
        own: Spooled | None = None,
        value_errors: tuple[type[Exception], ...] = (ValueError,),
        other_errors: tuple[type[Exception], ...] = (WarehouseError, OSError),
    ) -> Iterator[T]:
        """Give each waiting cycle to `store`, oldest first, and forget it when that has returned.

        A file that is not a cycle is set aside. So is one with values that cannot be stored, or that has failed or
        ended its process three times: it must not block those behind it. For the latter two `UnstorableError` is
        raised, after all others are stored. `own` is one that this process has just spooled, and is not read again.
        `value_errors` of `store` are about a value, `other_errors` are no fault of the file.
        """
        unstorable = []
        for path in self.folder.glob("*.jsonl"):
            if path.is_dir():
                log(f"{path} is a folder and no spooled cycle: move it away")
        for path in self.pending():
            mine = own is not None and path.stem == own.load.load_id and path.exists()
            if _tries(path) >= _TRIES:
                why = f"{_TRIES} tries to store it failed, or ended with their process"
                unstorable.append(f"{path.stem} cannot be stored ({why}): it is set aside as {self.set_aside(path)}")
                continue
            _count_try(path)
            try:
                spooled = own if mine else self.read(path)
            except ValueError as error:
                log(f"{error}; it is set aside as {self.set_aside(path)}")
                continue
            except OSError as error:
                _forget_tries(path)
                log(f"{path} cannot be read ({error.strerror}), and waits: give this user the right to")
                continue
            if spooled is None:
                _forget_tries(path)
                continue
            try:
                stored = store(spooled)
            except value_errors as error:
                reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
                unstorable.append(f"{path.stem} cannot be stored ({reason}): it is set aside as {self.set_aside(path)}")
                continue
            except BaseException as error:
                if isinstance(error, other_errors) or not isinstance(error, Exception):
                    _forget_tries(path)
                raise
            self.remove(path)
            yield stored
        if unstorable:
            raise UnstorableError(unstorable)

    def locked_out(self, run_id: str, wait: LockWait, log: Callable[[str], None]) -> None:
        """Write into the file of this run's load that it could not be stored, and who had the database open."""
        for path in self.of_run(run_id)[-1:]:
            try:
                fd = os.open(path, os.O_WRONLY | os.O_APPEND)
                try:
                    os.write(fd, as_line({"kind": "lock_wait", **wait.to_row(opened=False)}))
                finally:
                    os.close(fd)
            except FileNotFoundError:
                pass  # somebody has stored it meanwhile
            except OSError as error:
                log(complaint(self.folder, error))

    def set_aside(self, path: Path) -> Path:
        """Rename a file that cannot be stored, so that it does not block those behind it."""
        aside = path.rename(path.with_suffix(".unreadable"))
        _forget_tries(path)
        return aside

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        _forget_tries(path)

    def _sweep(self) -> None:
        """Remove the files of processes that died before they renamed them."""
        for path in self.folder.glob("*.new"):
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink(missing_ok=True)


def _tries(path: Path) -> int:
    """How often storing a file began and did not succeed: a byte each, in a file beside it."""
    try:
        return path.with_suffix(".tries").stat().st_size
    except OSError:
        return 0


def _count_try(path: Path) -> None:
    tries = path.with_suffix(".tries")
    with suppress(OSError):  # a full disk is no reason not to store
        if not tries.exists() or not 0 <= time.time() - tries.stat().st_mtime < _APART_S:
            with tries.open("ab") as file:
                file.write(b".")


def _forget_tries(path: Path) -> None:
    with suppress(OSError):
        path.with_suffix(".tries").unlink(missing_ok=True)


def _is_being_written(path: Path) -> bool:
    try:
        return locks.is_locked(path)
    except FileNotFoundError:
        return True  # stored by another process since it was listed
    except PermissionError:
        return False  # reading it raises the error


def _sync_folder(folder: Path) -> None:
    """Make a new file's name outlive a power cut, not only its content."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
