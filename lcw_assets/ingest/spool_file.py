"""A spooled cycle: a file that is written while it pulls, and read back to be stored.

A line is a JSON object with a `kind`: first the `load`, the state of the `machine` and the `planned` calls, then
`attempt`, `response` and `refused` as they come, then the `end`, and a `lock_wait` if the database was locked then.
What a server sent follows its line, byte for byte, and its length is in the line: as a JSON text it would take three
times as long to write and read. Each line ends with a tab and the CRC-32 of the line and what follows it: without it a
flipped digit would be stored as a price. (Files of versions before 0.2 have none, as their first line shows.)

A line reaches the kernel at once, so it outlives the process; the `end` reaches the disk before anybody opens the
database, so a finished pull outlives the machine as well. (Syncing every line costs 14 disk waits a cycle and saves,
after a power cut, part of a pull whose cycle is lost anyway.)
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json, to_json

from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.warehouse.errors import LockWait

_KINDS = ("load", "machine", "planned", "attempt", "response", "refused", "end", "lock_wait")

# As versions before 0.2 named them.
_OLD_KINDS = {"cycle": "load", "answer": "response"}

# A line without these is damaged.
_TEXTS = {"response": ("endpoint", "payload"), "refused": ("endpoint", "payload", "reason")}


class SpoolError(Exception):
    """The disk does not take the spool. Says which folder and why."""


class SpoolFullError(SpoolError):
    """This load has spooled as much as a load may."""


@dataclass(frozen=True)
class Spooled:
    """A spooled cycle, read back: rows as they were written.

    `end` is None if its process died while it fetched. `damaged` has the lines that are not whole, such as one that
    was being written when the process died.
    """

    load: Load
    machine: list[dict[str, Any]]
    planned: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    responses: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    damaged: list[str]
    end: FetchEnd | None
    lock_waits: list[dict[str, Any]] = field(default_factory=list)

    def quarantine(self) -> list[dict[str, Any]]:
        """Rows of `ops.quarantine` without the cycle's id: what goes into no other table."""
        cycle = self.load
        torn = {"source": cycle.source, "endpoint": "spool", "received_at": cycle.started_at.isoformat()}
        why = "a line that is not whole: the process died while it wrote it, or the file was damaged"
        return [
            *(quarantined(row, row["reason"], row["payload"]) for row in self.refused),
            *(quarantined(torn, why, line) for line in self.damaged),
        ]

    def lock_wait_rows(self, wait: LockWait | None) -> list[dict[str, Any]]:
        """Rows of `ops.lock_waits`: the waits of its own run that got no lock, and the `wait` before it was stored."""
        last = [wait.to_row(opened=True)] if wait and wait.seconds else []
        return [{"load_id": self.load.load_id} | row for row in (*self.lock_waits, *last)]


def quarantined(row: Mapping[str, Any], reason: str, text: str) -> dict[str, Any]:
    """A row of `ops.quarantine` without the cycle's id. `row` is that of the response."""
    return {name: row[name] for name in ("source", "endpoint", "received_at")} | {"reason": reason, "payload": text}


def as_line(line: Mapping[str, Any], sent: bytes | None = None) -> bytes:
    """A line of a spooled file, followed by what a server `sent`."""
    head = to_json(line if sent is None else {**line, "payload_bytes": len(sent)})
    head += b"\t%08x\n" % zlib.crc32(sent or b"", zlib.crc32(head))
    return head if sent is None else b"".join((head, sent, b"\n"))


def read_spooled(path: Path) -> Spooled | None:
    """The content of a file; `None` if it is gone. Raises `ValueError` if it is not a spooled cycle."""
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    damaged = []
    checked = True
    try:
        with path.open("rb") as file:
            for line in file:
                behind = file.tell()
                checked = checked and not (behind == len(line) and line.endswith(b"}\n"))
                try:
                    kind, row = _read_line(file, line, checked=checked)
                    rows[kind].append(row)
                except (ValueError, TypeError, KeyError, AttributeError):
                    damaged.append(line.rstrip(b"\r\n").decode(errors="replace"))
                    file.seek(behind)  # so its payload is kept as damaged, and not lost
    except FileNotFoundError:
        return None
    if not rows["load"]:
        raise ValueError(f"{path} does not begin with a load")
    try:
        load = Load.from_row(rows["load"][0])
        end = FetchEnd.from_row(rows["end"][0]) if rows["end"] else None
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is of another version, or damaged ({error})") from None
    return Spooled(
        load=load,
        machine=rows["machine"],
        planned=rows["planned"],
        attempts=rows["attempt"],
        responses=rows["response"],
        refused=rows["refused"],
        damaged=damaged,
        end=end,
        lock_waits=rows["lock_wait"],
    )


def _read_line(file: BinaryIO, line: bytes, *, checked: bool) -> tuple[str, dict[str, Any]]:
    """The kind and fields of a line. Raises `ValueError` and others if it is not whole, or was changed (`checked`)."""
    head, _, digest = line.rstrip(b"\r\n").partition(b"\t")  # JSON escapes tabs
    row = from_json(head)
    sent = _payload(file, row.pop("payload_bytes")) if "payload_bytes" in row else None
    if checked and digest != b"%08x" % zlib.crc32(sent or b"", zlib.crc32(head)):
        raise ValueError("it was changed on disk")
    if sent is not None:
        row["payload"] = sent.decode()
    kind = row.pop("kind")
    if kind == "load":
        row = row["load"]
    kind = _OLD_KINDS.get(kind, kind)
    if not all(isinstance(row[name], str) for name in _TEXTS.get(kind, ())):
        raise TypeError(kind)
    return kind, row


def _payload(file: BinaryIO, length: Any) -> bytes:
    """What follows a line. Raises `ValueError` if the file ends within it."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if type(length) is not int or not 0 <= length <= left:
        raise ValueError(f"{length} bytes of {left}")
    sent = file.read(length)
    file.readline()
    return sent
