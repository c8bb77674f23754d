"""Why a database cannot be used: each says which file, what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class LockWait:
    """A wait for the database, in seconds, and the program and process that had it open for most of that."""

    began_at: datetime
    seconds: float = 0.0
    holder: str | None = None
    pid: int | None = None

    def to_row(self, *, opened: bool) -> dict[str, Any]:
        """A row of `ops.lock_waits`, less the load's id."""
        return {
            "waited_at": self.began_at.isoformat(),
            "waited_s": self.seconds,
            "holder": self.holder,
            "pid": self.pid,
            "opened": opened,
        }


def lock_holder(holder: str | None, pid: int | None) -> str:
    """Such as `/usr/bin/python3.11 (process 4711)`."""
    program = holder or "another process"
    return program if pid is None else f"{program} (process {pid})"


class WarehouseError(Exception):
    """The database cannot be used as it is. What was pulled stays in the spool until it can."""


class LockedError(WarehouseError):
    """Another process has the file open. DuckDB lets one process write, and then nobody else read."""

    def __init__(self, message: str, wait: LockWait | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class NewerSchemaError(WarehouseError):
    """A later version of this project made the tables."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"schema version {found}, and this lcw-assets knows {known}")


class UnstorableError(WarehouseError):
    """Spooled cycles hold what cannot be stored, and were set aside. All others are stored."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(
            f"{'; '.join(reasons)}. Nothing is lost, and all others are stored. It is a damaged file or a fault of "
            "this project's: once that is mended, rename the file to end in .jsonl, and the next run stores it"
        )
