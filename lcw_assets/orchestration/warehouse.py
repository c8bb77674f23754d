"""The warehouse as a Dagster resource. Importing this imports DuckDB, so definitions do not import it."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_duckdb import DuckDBResource
from pydantic import Field, PrivateAttr

from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import WarehouseError
from lcw_assets.warehouse.lock import PATIENCE_S

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.warehouse.errors import LockWait


@dataclass
class _Run:
    """Where a run's waits are logged, and when it must end, in the seconds of `time.monotonic()`.

    `fault` says why there is no database: a wrong setting.
    """

    log: Callable[[str], None] = logging.getLogger("lcw_assets").warning
    ends_at: float = float("inf")
    fault: str = ""
    said: set[str] = field(default_factory=set)

    def say_once(self, line: str) -> None:
        who = line.partition(": ")[0]
        if who not in self.said:
            self.said.add(who)
            self.log(line)


class WarehouseResource(DuckDBResource):
    """dagster-duckdb's resource, for a file that several processes share.

    The original `get_connection` always opens for writing, hides the wait for the lock in ten silent retries, and
    leaves the file open when the body raises. This one can open read-only, waits a limited time and reports for whom,
    always closes, and brings the schema up to date.
    """

    lock_wait_s: float = Field(
        default=PATIENCE_S,
        description="Seconds to wait for another process to close the database.",
        ge=0,
    )

    _run: _Run = PrivateAttr(default_factory=_Run)

    def within_run(self, log: Callable[[str], None], max_runtime_s: float, fault: str = "") -> "WarehouseResource":
        """The same for one run: a wait is logged once, and ends early enough for the run to report it.

        Dagster ends a run after its maximum runtime without mentioning a lock.
        """
        self._run = _Run(log, time.monotonic() + max_runtime_s - min(60.0, max_runtime_s / 10), fault)
        return self

    @contextmanager
    def get_connection(
        self,
        *,
        read_only: bool = False,
        lock_wait_s: float | None = None,
        on_wait: "Callable[[LockWait], None]" = lambda _wait: None,
        config: Mapping[str, Any] | None = None,
    ) -> "Iterator[DuckDBPyConnection]":
        """A connection in UTC. Raises `LockedError` and other `WarehouseError`s, each with what to do."""
        if self._run.fault:
            raise WarehouseError(self._run.fault)
        patience_s = self.lock_wait_s if lock_wait_s is None else lock_wait_s
        with open_database(
            Path(self.database),
            read_only=read_only,
            lock_wait_s=min(patience_s, max(0.0, self._run.ends_at - time.monotonic())),
            on_wait=on_wait,
            on_lock=self._run.say_once,
            config={**self.connection_config, **(config or {})},
        ) as db:
            yield db
