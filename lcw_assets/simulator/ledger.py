"""The server's record of requests and responses, for tests that count."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """One request. `digest` is the SHA-256 of the response, `finished`: all of it was handed to the network.

    `provider` and `endpoint` are the provider and its path; a refused or damaged response is not `usable`.
    """

    number: int
    at: datetime
    provider: str
    endpoint: str
    request: str
    status: int
    fault: str
    usable: bool
    digest: str
    finished: bool

    @property
    def good(self) -> bool:
        """Was this a response that a client must not lose?"""
        return self.finished and self.status == 200 and self.usable


class Ledger:
    """Entries in the order in which they ended; in a file as well, a JSON line each, if one is given."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def write(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            if self._file is not None:
                with self._file.open("a") as out:
                    out.write(json.dumps(asdict(entry) | {"at": entry.at.isoformat()}) + "\n")

    @property
    def entries(self) -> tuple[Entry, ...]:
        with self._lock:
            return tuple(self._entries)
