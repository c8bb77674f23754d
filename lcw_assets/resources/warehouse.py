"""The warehouse as a Dagster resource. Importing this imports DuckDB: where definitions load, it is not imported."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_duckdb import DuckDBResource
from pydantic import Field

from lcw_assets.warehouse.connection import LOCK_WAIT_S, open_database

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.warehouse.errors import LockWait


class WarehouseResource(DuckDBResource):
    """dagster-duckdb's resource, with what a file that several processes share needs besides.

    Its own `get_connection` always opens for writing, hides the wait for the lock in ten silent retries, and leaves
    the file open when the body raises. This one can read only, waits a known time, closes whatever happens, and brings
    the schema up to date.
    """

    lock_wait_s: float = Field(
        default=LOCK_WAIT_S,
        description="Seconds to wait for another process to close the database.",
        ge=0,
    )

    @contextmanager
    def get_connection(
        self,
        *,
        read_only: bool = False,
        lock_wait_s: float | None = None,
        on_wait: "Callable[[LockWait], None]" = lambda _wait: None,
        config: Mapping[str, Any] | None = None,
    ) -> "Iterator[DuckDBPyConnection]":
        """A connection in UTC. Raises `LockedError` and other `WarehouseError`s, each with the way out."""
        with open_database(
            Path(self.database),
            read_only=read_only,
            lock_wait_s=self.lock_wait_s if lock_wait_s is None else lock_wait_s,
            on_wait=on_wait,
            config={**self.connection_config, **(config or {})},
        ) as db:
            yield db
