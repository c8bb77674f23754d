"""Opens the database: waits for its lock within a limit, brings the schema up to date, and always closes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
from duckdb import DuckDBPyConnection

from lcw_assets.coordination import files
from lcw_assets.coordination.disk import complaint, read_error
from lcw_assets.warehouse.errors import LockedError, LockWait, NewerSchemaError, WarehouseError
from lcw_assets.warehouse.lock import LOCK_WAIT_S, read_holder, wait_for
from lcw_assets.warehouse.schema import migrate

# Errors about a value, which a retry would raise again; and errors that are no fault of the load that is stored: a
# lock, a full disk, a schema that is not ours.
VALUE_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.InvalidInputException,  # for text that is not JSON
)
OTHER_ERRORS = (WarehouseError, OSError, duckdb.IOException, duckdb.CatalogException, duckdb.TransactionException)


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
    on_lock: Callable[[str], None] = lambda _line: None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[DuckDBPyConnection]:
    """A connection in UTC, always closed when the block ends.

    `on_wait` gets how long another process kept the file locked, and which one; `on_lock` gets one line about a long
    wait. Raises `LockedError` after `lock_wait_s`, and `WarehouseError`, with what to do, for a file that is missing
    (read-only), not a database, damaged, or newer than this project or this DuckDB, and for a disk that does not take
    what is written, also within the block.
    """
    with _disk_errors(path), _files(path, read_only):
        db, wait = _connect(path, read_only, lock_wait_s, on_lock, config or {})
        try:
            on_wait(wait)
            db.execute("SET TimeZone = 'UTC'")
            if not read_only:
                # Closing a database writes what changed, and by default merges small row groups as well: with the
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
    path: Path, read_only: bool, lock_wait_s: float, on_lock: Callable[[str], None], config: Mapping[str, Any]
) -> tuple[DuckDBPyConnection, LockWait]:
    if read_only and not path.exists():
        raise WarehouseError(f"{path} does not exist yet: `make cycle` makes it")
    if path.exists() and not path.is_file():
        raise WarehouseError(f"{path} is a folder or a device, and no file: {_WAY_OUT}")
    config = {
        # A cycle appends a little to many columns, and each begins a block: with the default of 256 KB, 70 cycles make
        # a file of 105 MB, with 64 KB one of 33 MB. (16 KB make it 16 MB, and a cycle on 100 million ticks twice as
        # slow as on none.)
        "default_block_size": 65536,
        # By default 1.5 writes the storage format of 1.0, which has no zstd: raw.pulls would be ten times as large.
        "storage_compatibility_version": "latest",
        # For a file like one of SQLite DuckDB would download an extension. All that is needed is built in.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": f"{path}.tmp",
        **config,
    }

    def connect() -> DuckDBPyConnection:
        try:
            # With the prefix only DuckDB's own format is tried, even if an extension is installed.
            return duckdb.connect(f"duckdb:{path}", read_only, dict(config))
        except duckdb.Error as error:
            holder = read_holder(str(error))
            if holder is None:
                raise WarehouseError(_advice(path, error)) from None
            raise LockedError(path, holder) from None

    return wait_for(connect, lock_wait_s, on_lock)


def _files(path: Path, read_only: bool) -> AbstractContextManager[None]:
    """The files that DuckDB makes beside the file are as private as the file."""
    existing = () if read_only else (path, path.with_name(f"{path.name}.wal"))
    return files.foreign_files(path.parent, *existing)


def _upgrade(db: DuckDBPyConnection, path: Path) -> None:
    try:
        migrate(db)
    except NewerSchemaError as error:
        raise WarehouseError(f"{path} was made by a newer lcw-assets ({error}): upgrade lcw-assets") from None


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """DuckDB raises it as several kinds of exception: for a write, a commit, a checkpoint, and all that follows."""
    try:
        yield
    except duckdb.Error as error:
        if str(path) not in str(error) and "Corrupt database file" not in str(error):
            raise  # of a query, or of another file
        disk = read_error(str(error))
        if disk:
            raise WarehouseError(complaint(path.parent, disk, "database writes")) from None
        if _is_damage(str(error)):
            raise WarehouseError(_advice(path, error)) from None
        if isinstance(error, duckdb.IOException):
            raise WarehouseError(f"{path}: {str(error).removeprefix('IO Error: ').splitlines()[0]}") from None
        raise


_WAY_OUT = (
    "move it away, with its .wal if it has one, and a new one is made (or put a backup in its place); what the spool "
    "holds is stored then"
)


_DAMAGE = ("not a valid DuckDB", "orrupt", "checksum", "read enough bytes", "replaying WAL")


def _is_damage(said: str) -> bool:
    return any(sign in said for sign in _DAMAGE)


def _advice(path: Path, error: Exception) -> str:
    """DuckDB's error, and what to do. Nothing is lost meanwhile: the spool keeps what was fetched."""
    said = str(error).removeprefix("IO Error: ").splitlines()[0]
    if _is_damage(said):
        return f"{path} is not a readable DuckDB file: {_WAY_OUT}. DuckDB says: {said}"
    if "version number" in said or "newer version" in said:
        return f"{path} was written by another version of DuckDB: install one that reads it. DuckDB says: {said}"
    disk = read_error(said)
    if disk:
        return complaint(path.parent, disk, "database writes")
    return f"{path} cannot be opened: {said}"
