"""Why a database cannot be used: each says which file, what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lcw_assets import escape


@dataclass(frozen=True)
class Holder:
    """Which process has the database open, as far as the system reports it. `own`: this process."""

    program: str | None = None
    pid: int | None = None
    user: str | None = None
    own: bool = False

    def __str__(self) -> str:
        """Such as `/usr/bin/python3.11 (process 4711)`."""
        if self.own:
            return "this process itself"
        if self.pid is None:
            return escape.line(self.program or "another process")
        user = f" of user {self.user}" if self.user else ""
        return escape.line(f"{self.program or 'a program'} (process {self.pid}{user})")


@dataclass(frozen=True)
class LockWait:
    """A wait for the database, in seconds, and which process had it open for most of that; null if none."""

    began_at: datetime
    seconds: float = 0.0
    holder: Holder | None = None

    def to_row(self, *, opened: bool) -> dict[str, Any]:
        """A row of `ops.lock_waits` without the load's id."""
        return {
            "waited_at": self.began_at.isoformat(),
            "waited_s": self.seconds,
            "holder": self.holder.program if self.holder else None,
            "pid": self.holder.pid if self.holder else None,
            "opened": opened,
        }


class WarehouseError(Exception):
    """The database cannot be used as it is. What was fetched stays in the spool until it can."""


class LockedError(WarehouseError):
    """Another process, the `holder`, has the file open. While one process may write, DuckDB lets no other read."""

    def __init__(self, path: Path, holder: Holder, wait: LockWait | None = None) -> None:
        waited = f", and was for the {wait.seconds:.0f} s that this waited" if wait and wait.seconds >= 1 else ""
        super().__init__(f"{path} is held open by {holder}{waited}")
        self.path = path
        self.holder = holder
        self.wait = wait

    def after(self, wait: LockWait) -> LockedError:
        """The same error after so long a wait."""
        return LockedError(self.path, self.holder, wait)


class NewerSchemaError(WarehouseError):
    """A later version of this project made the tables."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"schema version {found}, and this lcw-assets knows {known}")


class UnstorableError(WarehouseError):
    """Spooled cycles have values that cannot be stored, and were set aside. All others are stored."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(
            f"{'; '.join(reasons)}. Nothing is lost, and all others are stored. It is a damaged file or a fault of "
            "this project's: once that is mended, rename the file to end in .jsonl, and the next run stores it"
        )
