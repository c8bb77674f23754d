"""Responses that are kept for later calls, also of other processes: a file for each distinct request.

A response may serve for a lifetime without a request. After that the server is asked whether it has changed, where it
has sent an `ETag` or `Last-Modified`: if not, it sends a 304 without a body.

A file is written whole or not at all, and may vanish at any time. One that cannot be read counts as none: it costs a
request, and no more.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from lcw_assets.coordination import files
from lcw_assets.transport.facts import Response

# The version of a file, the CRC-32 of the rest, and how long its head is. The head is JSON; the packed body follows.
_FORMAT = struct.Struct(">4sII")
_MAGIC = b"rch1"
_LARGEST = 100_000_000
_DAY_S = 86_400.0

# By the header of a response, the one of the next request.
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
_SENDABLE = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?", re.ASCII)


@dataclass(frozen=True)
class Kept:
    """A response of the past. `validators` are its headers by which the server tells whether it has changed."""

    requested_at: datetime
    received_at: datetime
    validators: Mapping[str, str]
    text: str
    packed: bytes = field(repr=False)

    @classmethod
    def of(cls, response: Response) -> Kept:
        packed = zlib.compress(response.text.encode(), 1)
        return cls(response.requested_at, response.received_at, validators(response), response.text, packed)

    def conditions(self) -> dict[str, str]:
        """The headers of a request for something else than this."""
        return {_VALIDATORS[name]: value for name, value in self.validators.items()}

    def cached(self, source: str, endpoint: str, request: dict[str, Any]) -> Response:
        """As the response to a call that sends no request."""
        times = self.requested_at, self.received_at
        headers = dict(self.validators)
        return Response(source, endpoint, request, *times, 0.0, 200, 0, headers, self.text, origin="cached")

    def confirmed(self, by: Response) -> Response:
        """As the response that a 304 stands for."""
        headers = {**self.validators, **by.headers}
        return replace(by, http_status=200, headers=headers, text=self.text, origin="unchanged")

    def renewed(self, response: Response) -> Kept:
        """Confirmed, without packing it again."""
        new = {**self.validators, **validators(response)}
        return replace(self, requested_at=response.requested_at, received_at=response.received_at, validators=new)

    def pack(self, key: str) -> bytes:
        head = to_json(
            {
                "key": key,
                "requested_at": self.requested_at.timestamp(),
                "received_at": self.received_at.timestamp(),
                "validators": dict(self.validators),
            }
        )
        rest = head + self.packed
        return _FORMAT.pack(_MAGIC, zlib.crc32(rest), len(head)) + rest


def validators(response: Response) -> dict[str, str]:
    return {name: value for name in _VALIDATORS if _SENDABLE.fullmatch(value := response.headers.get(name, ""))}


def unpack(content: bytes, key: str) -> Kept | None:
    """What `Kept.pack` made for this key; null for anything else."""
    try:
        magic, crc, length = _FORMAT.unpack_from(content)
        rest = content[_FORMAT.size :]
        if magic != _MAGIC or zlib.crc32(rest) != crc or length > len(rest):
            return None
        head, packed = from_json(rest[:length]), rest[length:]
        if head["key"] != key:
            return None
        unpacker = zlib.decompressobj()
        body = unpacker.decompress(packed, _LARGEST)
        if not unpacker.eof or unpacker.unused_data:
            return None
        requested_at, received_at = (
            datetime.fromtimestamp(float(head[name]), timezone.utc) for name in ("requested_at", "received_at")
        )
        found = {name: str(head["validators"][name]) for name in _VALIDATORS if name in head["validators"]}
        if not all(_SENDABLE.fullmatch(value) for value in found.values()):
            return None
        return Kept(requested_at, received_at, found, body.decode(), packed)
    except (struct.error, zlib.error, ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError):
        return None


class ResponseCache:
    """The kept responses in a folder. `clock` gives the seconds of UNIX time.

    What is dated in the future was kept before a clock was set back: it counts as none. Files that nobody has written
    for a day are removed when another one is written. A disk that takes no files only makes calls cost more.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._clock = clock

    def get(self, key: str) -> Kept | None:
        try:
            kept = unpack(self._file(key).read_bytes(), key)
        except OSError:
            return None
        return kept if kept and self.age_s(kept) >= 0 else None

    def age_s(self, kept: Kept) -> float:
        return self._clock() - kept.received_at.timestamp()

    def put(self, key: str, kept: Kept) -> None:
        with suppress(OSError):
            files.write_file(self._file(key), kept.pack(key), shared=True)
            self._sweep()

    def remove(self, key: str) -> None:
        with suppress(OSError):
            self._file(key).unlink()

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.response"

    def _sweep(self) -> None:
        for path in self.folder.iterdir():
            with suppress(OSError):  # another process was faster
                if self._clock() - path.stat().st_mtime > _DAY_S:
                    path.unlink()
