"""A spooled cycle: a file that is written while it pulls, and read back to be stored.

A line is a JSON object with a `kind`: first the `cycle`, how the `machine` is and what is `planned`, then `attempt`,
`answer` and `refused` as they come, and at last the `end`; a `lock_wait` behind it if the database was locked then.
What a server sent stands behind its line as it came, with its length in the line: as a JSON text it would be written,
and read again, three times as slowly. A line reaches the kernel at once, so it outlives the process; the `end` reaches
the disk before anybody opens the database, so a finished pull outlives the machine as well. (Syncing every line costs
14 disk waits a cycle and saves, after a power cut, part of a pull whose cycle is lost anyway.)
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pydantic_core import from_json, to_json

from lcw_assets.warehouse.cycle import Cycle, PullEnd
from lcw_assets.warehouse.errors import LockWait

_KINDS = ("cycle", "machine", "planned", "attempt", "answer", "refused", "end", "lock_wait")

# Without these a line is worth nothing.
_TEXTS = {"answer": ("endpoint", "payload"), "refused": ("endpoint", "payload", "reason")}


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
    lock_waits: list[dict[str, Any]] = field(default_factory=list)

    def quarantine(self) -> list[dict[str, Any]]:
        """What of it is in no other table, as rows of `ops.quarantine` less the cycle's id."""
        cycle = self.cycle
        torn = {"source": cycle.source, "endpoint": "spool", "received_at": cycle.started_at.isoformat()}
        why = "a line that is not whole: the process died while it wrote it, or the file was damaged"
        return [
            *(quarantined(row, row["reason"], row["payload"]) for row in self.refused),
            *(quarantined(torn, why, line) for line in self.damaged),
        ]

    def lock_wait_rows(self, wait: LockWait | None) -> list[dict[str, Any]]:
        """Rows of `ops.lock_waits`: what its own run waited for in vain, and the `wait` before it could be stored."""
        last = [wait.to_row(opened=True)] if wait and wait.seconds else []
        return [{"load_id": self.cycle.cycle_id} | row for row in (*self.lock_waits, *last)]


def quarantined(row: Mapping[str, Any], reason: str, text: str) -> dict[str, Any]:
    """A row of `ops.quarantine`, less the cycle's id. `row` is that of the answer."""
    return {name: row[name] for name in ("source", "endpoint", "received_at")} | {"reason": reason, "payload": text}


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
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise SpoolError(complaint(self._path.parent, error)) from None

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
                raise SpoolError(complaint(self._path.parent, error)) from None
            self._size += len(data)


def read_spooled(path: Path) -> Spooled | None:
    """What a file holds; `None` if it is gone. Raises `ValueError` if it is no spooled cycle."""
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    damaged = []
    try:
        with path.open("rb") as file:
            for line in file:
                behind = file.tell()
                try:
                    kind, row = _read_line(file, line)
                    rows[kind].append(row)
                except (ValueError, TypeError, KeyError, AttributeError):
                    damaged.append(line.rstrip(b"\r\n").decode(errors="replace"))
                    file.seek(behind)  # so its payload is among what is damaged, and not lost
    except FileNotFoundError:
        return None
    if not rows["cycle"]:
        raise ValueError(f"{path} does not begin with a cycle")
    try:
        cycle = Cycle.from_row(rows["cycle"][0])
        end = PullEnd.from_row(rows["end"][0]) if rows["end"] else None
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is of another version, or damaged ({error})") from None
    return Spooled(
        cycle=cycle,
        machine=rows["machine"],
        planned=rows["planned"],
        attempts=rows["attempt"],
        answers=rows["answer"],
        refused=rows["refused"],
        damaged=damaged,
        end=end,
        lock_waits=rows["lock_wait"],
    )


def _read_line(file: BinaryIO, line: bytes) -> tuple[str, dict[str, Any]]:
    row = from_json(line)
    if "payload_bytes" in row:
        row["payload"] = _payload(file, row.pop("payload_bytes"))
    kind = row.pop("kind")
    if not all(isinstance(row[name], str) for name in _TEXTS.get(kind, ())):
        raise TypeError(kind)
    return kind, row


def _payload(file: BinaryIO, length: Any) -> str:
    """What stands behind a line. Raises `ValueError` if the file ends within it."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if type(length) is not int or not 0 <= length <= left:
        raise ValueError(f"{length} bytes of {left}")
    text = file.read(length).decode()
    file.readline()
    return text


def complaint(folder: Path, error: OSError) -> str:
    advice = {
        errno.ENOSPC: "the disk is full: free some space, or set LCW_DATA_DIR to another disk",
        errno.EDQUOT: "your disk quota is used up: free some space, or set LCW_DATA_DIR to another disk",
        errno.EFBIG: "the disk takes no more of this file: set LCW_DATA_DIR to another disk",
        errno.EROFS: "the disk is read-only: make it writable, or set LCW_DATA_DIR to a folder that is",
        errno.EACCES: "it may not be written to: change its permissions, or set LCW_DATA_DIR to another folder",
        errno.EPERM: "it may not be written to: set LCW_DATA_DIR to another folder",
    }.get(error.errno or 0, "set LCW_DATA_DIR to a folder that can be written to")
    return f"{folder} takes no answers ({error.strerror}): {advice}"
