"""Opening the database: a bounded wait for its lock, the schema brought up to date, and always closed again."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from lcw_assets.warehouse.errors import LockedError, LockWait, NewerSchemaError, WarehouseError, lock_holder
from lcw_assets.warehouse.schema import migrate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOCK_WAIT_S = 5.0

_Holder: TypeAlias = "tuple[str | None, int | None]"


class OpenDatabase(Protocol):
    """`open_database` for one file."""

    def __call__(
        self, *, on_wait: Callable[[LockWait], None], config: Mapping[str, Any]
    ) -> AbstractContextManager[DuckDBPyConnection]: ...


@contextmanager
def open_database(
    path: Path,
    *,
    read_only: bool = False,
    lock_wait_s: float = LOCK_WAIT_S,
    on_wait: Callable[[LockWait], None] = lambda _wait: None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[DuckDBPyConnection]:
    """A connection in UTC, closed when the block ends however it ends.

    `on_wait` gets how long another process kept the file locked, and which. Raises `LockedError` once that has taken
    `lock_wait_s`, and `WarehouseError`, with the way out, for a file that is missing (read-only), corrupt, or newer
    than this project or this DuckDB.
    """
    db, wait = _connect(path, read_only, lock_wait_s, config or {})
    try:
        on_wait(wait)
        db.execute("SET TimeZone = 'UTC'")
        if not read_only:
            # Closing a database writes what changed, and by default merges small row groups while at it: with the
            # payloads of raw.pulls that costs up to 0.7 s a cycle (measured, 250 cycles). See `compact`.
            db.execute("SET max_vacuum_tasks = 0")
            _upgrade(db, path)
        yield db
    finally:
        db.close()


def compact(db: DuckDBPyConnection) -> None:
    """Let the closing of this connection merge small row groups and drop deleted rows."""
    db.execute("RESET max_vacuum_tasks")


def _connect(
    path: Path, read_only: bool, lock_wait_s: float, config: Mapping[str, Any]
) -> tuple[DuckDBPyConnection, LockWait]:
    import duckdb

    if read_only and not path.exists():
        raise WarehouseError(f"{path} does not exist yet: `make cycle` makes it")
    # A cycle appends a little to many columns, and each begins a block: with the default of 256 KB, 70 cycles make a
    # file of 105 MB, with 64 KB one of 33 MB. (16 KB make it 16 MB, and a cycle on 100 million ticks twice as slow as
    # on none.) And 1.5 still writes the storage of 1.0 unless told otherwise,
    # which knows no zstd: raw.pulls gets ten times as big.
    config = {"default_block_size": 65536, "storage_compatibility_version": "latest", **config}
    began_at, started = datetime.now(timezone.utc), time.monotonic()
    waited_s = 0.0
    holders: Counter[_Holder] = Counter()
    while True:
        try:
            db = duckdb.connect(str(path), read_only, dict(config))
        except duckdb.Error as error:
            if "Could not set lock" not in str(error):
                raise WarehouseError(_advice(path, error)) from None
            holders[_holder(error)] += 1
            if waited_s >= lock_wait_s:
                by = lock_holder(*_holder(error))
                raise LockedError(f"{path} is held open by {by}", _wait(began_at, waited_s, holders)) from None
        else:
            return db, _wait(began_at, waited_s, holders)
        time.sleep(min(0.05, lock_wait_s))
        waited_s = time.monotonic() - started


def _wait(began_at: datetime, waited_s: float, holders: Counter[_Holder]) -> LockWait:
    """`holders` counts how often each was met: several may have had the file in turn."""
    return LockWait(began_at, waited_s, *(holders.most_common(1)[0][0] if holders else (None, None)))


def _holder(error: Exception) -> _Holder:
    """The program that has the file open, and its process. DuckDB says neither where the system does not tell."""
    found = re.search(r"held in (\S+)(?: \(PID (\d+)\))?", str(error))
    return (found[1], int(found[2]) if found[2] else None) if found else (None, None)


def _upgrade(db: DuckDBPyConnection, path: Path) -> None:
    try:
        migrate(db)
    except NewerSchemaError as error:
        raise WarehouseError(f"{path} was made by a newer lcw-assets ({error}): upgrade lcw-assets") from None


def _advice(path: Path, error: Exception) -> str:
    """DuckDB's complaint, and what to do about it. Nothing is lost meanwhile: the spool keeps what was pulled."""
    said = str(error).removeprefix("IO Error: ").splitlines()[0]
    if "not a valid DuckDB database" in said or "orrupt" in said or "checksum" in said:
        return (
            f"{path} is not a readable DuckDB file: move it away, with its .wal if it has one, and a new one is made "
            f"(or put a backup in its place); what the spool holds is stored then. DuckDB says: {said}"
        )
    if "version number" in said or "newer version" in said:
        return f"{path} was written by another version of DuckDB: install one that reads it. DuckDB says: {said}"
    return f"{path} cannot be opened: {said}"
