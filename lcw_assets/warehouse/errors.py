"""Why a database cannot be used: each says which file, what is wrong with it, and what to do."""

from __future__ import annotations


class WarehouseError(Exception):
    """The database cannot be used as it is. What was pulled stays in the spool until it can."""


class LockedError(WarehouseError):
    """Another process has the file open. DuckDB lets one process write, and then nobody else read."""


class NewerSchemaError(WarehouseError):
    """A later version of this project made the tables."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"schema version {found}, and this lcw-assets knows {known}")
