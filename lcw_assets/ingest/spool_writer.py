"""Writes a cycle's spooled file while it fetches."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol

from lcw_assets.coordination.disk import complaint
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool_file import Spooled, SpoolError, SpoolFullError, as_line

# Bytes of a file. A cycle of 50,000 coins with all their fields has 80 MB.
CEILING = 256_000_000

# Characters of a refused body that are kept.
_EXCERPT = 2_000


class Row(Protocol):
    def to_row(self) -> dict[str, Any]: ...


class SpoolWriter:
    """A cycle's file while it fetches. Safe to use from several threads; what comes after `close` is not written.

    A response that would make it larger than `ceiling` bytes is not taken.
    """

    def __init__(self, fd: int, path: Path, ceiling: int) -> None:
        self.attempts: list[dict[str, Any]] = []
        self._responses: list[dict[str, Any]] = []
        self._refused: list[dict[str, Any]] = []
        self._machine: list[dict[str, Any]] = []
        self._planned: list[dict[str, Any]] = []
        self._digests: set[str] = set()
        self._fd, self._path = fd, path
        self._ceiling = ceiling
        self._lock = threading.Lock()
        self._size = 0
        self._closed = False

    def attempt(self, attempt: Row) -> None:
        row = attempt.to_row()
        self.attempts.append(row)
        self._write({"kind": "attempt", **row})

    def response(self, response: Row) -> None:
        row = response.to_row()
        self._write({"kind": "response", **row})
        self._responses.append(row)

    def refused(self, response: Row, reason: str) -> None:
        """The beginning of a body, its length and its hash, once for each distinct body: a server that sends 30 MB of
        something else sends them for every call and every retry.
        """
        row = response.to_row()
        body = row["payload"].encode()
        digest = sha256(body).hexdigest()
        with self._lock:
            if digest in self._digests:
                return
            self._digests.add(digest)
        row |= {
            "reason": f"{reason} ({len(body):,} bytes, sha256 {digest})",
            "payload": row["payload"][:_EXCERPT],
        }
        self._write({"kind": "refused", **row})
        self._refused.append(row)

    def spooled(self, load: Load, end: FetchEnd) -> Spooled:
        """What `Spool.read` would return: to store it at once, without reading 9 MB that were just written."""
        return Spooled(load, self._machine, self._planned, self.attempts, self._responses, self._refused, [], end)

    def load(self, load: Load) -> None:
        self._write({"kind": "load", "load": load.to_row()})

    def machine(self, measured: dict[str, Any]) -> None:
        """A row of `ops.resources` without the cycle's id."""
        self._machine.append(measured)
        self._write({"kind": "machine", **measured})

    def plan(self, calls: Iterable[tuple[str, dict[str, Any]]], sources: Iterable[str] = ()) -> None:
        """The calls that the cycle will make, so that others see meanwhile what is missing; of several `sources`, the
        one of each call.
        """
        for (endpoint, request), source in zip_longest(calls, sources):
            row = {"endpoint": endpoint, "request": request} | ({"source": source} if source else {})
            self._planned.append(row)
            self._write({"kind": "planned", **row})

    def end(self, end: FetchEnd) -> None:
        """The fetch is over: on the disk itself when this returns."""
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
        sent = line.pop("payload").encode() if "payload" in line else None
        data = as_line(line, sent)
        with self._lock:
            if self._closed:
                return  # a call that outlived its cycle's deadline
            if sent is not None and self._size + len(data) > self._ceiling:
                raise SpoolFullError(f"{self._path} takes no more: a load may spool {self._ceiling:,} bytes")
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(self._fd, left) :]
            except OSError as error:
                os.ftruncate(self._fd, self._size)  # no half line before the next ones
                raise SpoolError(complaint(self._path.parent, error)) from None
            self._size += len(data)
