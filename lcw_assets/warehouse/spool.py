"""Where answers are safe: a file a cycle, written as they arrive, gone only when the database has them.

A line is a JSON object with a `kind`: first the `cycle`, how the `machine` is and what is `planned`, then `attempt`,
`answer` and `refused` as they come, and at last the `end`. What a server sent stands behind its line as it came, with
its length in the line: as a JSON text it would be written, and read again, three times as slowly. A line reaches the
kernel at once, so it outlives the process; the `end` reaches the disk before anybody opens the database, so a finished
pull outlives the machine as well. (Syncing every line costs 14 disk waits a cycle and saves, after a power cut, part of
a pull whose cycle is lost anyway.)

While its process lives, an unfinished file is locked; the kernel drops the lock with the process. So whoever finds an
unfinished file that is not locked knows that its cycle is dead, and stores what it has.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pydantic_core import from_json, to_json

from lcw_assets.warehouse.cycle import Cycle, PullEnd

_KINDS = ("cycle", "machine", "planned", "attempt", "answer", "refused", "end")

# A cycle spools 2 MB, and DuckDB writes as much again. With less room than this, no credits are spent at all.
_ROOM_NEEDED = 50 * 1024 * 1024


class SpoolError(Exception):
    """The disk does not take the spool. Says which folder and why."""


class Row(Protocol):
    def to_row(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Spooled:
    """A spooled cycle, read back: rows as they were written.

    `end` is None if its process died while it pulled. `damaged` holds the lines that are not whole, such as the one
    that a process died in.
    """

    cycle: Cycle
    machine: list[dict[str, Any]]
    planned: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    damaged: list[str]
    end: PullEnd | None


class SpoolWriter:
    """A cycle's file while it pulls. Safe to use from several threads; what comes after `close` is not written."""

    def __init__(self, fd: int, path: Path) -> None:
        self.attempts: list[dict[str, Any]] = []
        self._answers: list[dict[str, Any]] = []
        self._refused: list[dict[str, Any]] = []
        self._fd, self._path = fd, path
        self._lock = threading.Lock()
        self._size = 0
        self._closed = False

    def attempt(self, attempt: Row) -> None:
        row = attempt.to_row()
        self.attempts.append(row)
        self._write({"kind": "attempt", **row})

    def answer(self, answer: Row) -> None:
        row = answer.to_row()
        self._write({"kind": "answer", **row})
        self._answers.append(row)

    def refused(self, answer: Row, reason: str) -> None:
        row = {"reason": reason, **answer.to_row()}
        self._write({"kind": "refused", **row})
        self._refused.append(row)

    def spooled(self, cycle: Cycle, end: PullEnd) -> Spooled:
        """What `Spool.read` will find: for who stores it at once, and need not read 9 MB that were just written."""
        return Spooled(cycle, [], [], self.attempts, self._answers, self._refused, [], end)

    def cycle(self, cycle: Cycle) -> None:
        self._write({"kind": "cycle", **cycle.to_row()})

    def machine(self, measured: dict[str, Any]) -> None:
        """A row of `ops.resources`, less the cycle's id."""
        self._write({"kind": "machine", **measured})

    def plan(self, calls: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """What the cycle will ask for: so that whoever looks meanwhile knows what is missing."""
        for endpoint, request in calls:
            self._write({"kind": "planned", "endpoint": endpoint, "request": request})

    def end(self, end: PullEnd) -> None:
        """The pull is over: on the disk itself when this returns."""
        self._write({"kind": "end", **end.to_row()})
        os.fsync(self._fd)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            os.close(self._fd)

    def _write(self, line: dict[str, Any]) -> None:
        if "payload" in line:
            sent = line.pop("payload").encode()
            data = b"\n".join((to_json({**line, "payload_bytes": len(sent)}), sent, b""))
        else:
            data = to_json(line) + b"\n"
        with self._lock:
            if self._closed:
                return  # a call that outlived its cycle's deadline
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(self._fd, left) :]
            except OSError as error:
                os.ftruncate(self._fd, self._size)  # no half line for the lines after it
                raise SpoolError(_complaint(self._path.parent, error)) from None
            self._size += len(data)


class Spool:
    """The folder of spooled cycles of one source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def open(self, cycle: Cycle) -> Iterator[SpoolWriter]:
        """A file for this cycle. Raises `SpoolError` before any call is made if the disk would not take it."""
        path = self.folder / f"{cycle.cycle_id}.jsonl"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
            if free < _ROOM_NEEDED:
                raise SpoolError(
                    f"{self.folder}: {free / 1e6:.0f} MB are free, and a cycle asks for {_ROOM_NEEDED / 1e6:.0f} MB: "
                    "nothing was asked for. Free some space, or set LCW_DATA_DIR to another disk"
                )
            self._sweep()
            # Locked and given its first line under another name: nobody must take it for a dead cycle's.
            hidden = path.with_suffix(".new")
            fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as error:
            raise SpoolError(_complaint(self.folder, error)) from None
        writer = SpoolWriter(fd, path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            writer.cycle(cycle)
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
        return sorted(self.folder.glob("*.jsonl"))

    def read(self, path: Path) -> Spooled | None:
        """A waiting cycle, or `None` if another process has stored it by now. Raises `ValueError` if it is none."""
        rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
        damaged = []
        try:
            with path.open("rb") as file:
                for line in file:
                    try:
                        row = from_json(line)
                        if "payload_bytes" in row:
                            row["payload"] = _payload(file, row.pop("payload_bytes"))
                        rows[row.pop("kind")].append(row)
                    except (ValueError, TypeError, KeyError, AttributeError):
                        damaged.append(line.rstrip(b"\r\n").decode(errors="replace"))
        except FileNotFoundError:
            return None
        if not rows["cycle"]:
            raise ValueError(f"{path} does not begin with a cycle")
        return Spooled(
            cycle=Cycle.from_row(rows["cycle"][0]),
            machine=rows["machine"],
            planned=rows["planned"],
            attempts=rows["attempt"],
            answers=rows["answer"],
            refused=rows["refused"],
            damaged=damaged,
            end=PullEnd.from_row(rows["end"][0]) if rows["end"] else None,
        )

    def set_aside(self, path: Path) -> Path:
        """Take a file that is no spooled cycle at all out of the way, so that it does not block those behind it."""
        return path.rename(path.with_suffix(".unreadable"))

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove what processes left behind that died between making a file and naming it."""
        for path in self.folder.glob("*.new"):
            if time.time() - path.stat().st_mtime > 3600:
                path.unlink(missing_ok=True)


def _payload(file: BinaryIO, length: Any) -> str:
    """What stands behind a line. Raises `ValueError` if the file ends within it."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if type(length) is not int or not 0 <= length <= left:
        raise ValueError(f"{length} bytes of {left}")
    text = file.read(length).decode()
    file.readline()
    return text


def _is_being_written(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return True  # stored by another process since it was listed
    return False


def _sync_folder(folder: Path) -> None:
    """Make a new file's name outlive a power cut, not only its content."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _complaint(folder: Path, error: OSError) -> str:
    advice = {
        errno.ENOSPC: "the disk is full: free some space, or set LCW_DATA_DIR to another disk",
        errno.EDQUOT: "your disk quota is used up: free some space, or set LCW_DATA_DIR to another disk",
        errno.EFBIG: "the disk takes no more of this file: set LCW_DATA_DIR to another disk",
        errno.EROFS: "the disk is read-only: make it writable, or set LCW_DATA_DIR to a folder that is",
        errno.EACCES: "it may not be written to: change its permissions, or set LCW_DATA_DIR to another folder",
        errno.EPERM: "it may not be written to: set LCW_DATA_DIR to another folder",
    }.get(error.errno or 0, "set LCW_DATA_DIR to a folder that can be written to")
    return f"{folder} takes no answers ({error.strerror}): {advice}"
