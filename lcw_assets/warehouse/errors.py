"""Why a database cannot be used: each says which file, what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class WarehouseError(Exception):
    """The database cannot be used as it is. What was pulled stays in the spool until it can."""


class LockedError(WarehouseError):
    """Another process has the file open. DuckDB lets one process write, and then nobody else read."""


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
