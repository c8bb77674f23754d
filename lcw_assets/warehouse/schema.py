"""The tables: made by numbered SQL files, each run once. Only these files name columns."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lcw_assets.warehouse.ddl import Tables, read_tables
from lcw_assets.warehouse.errors import NewerSchemaError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SQL = Path(__file__).parent / "sql"
MIGRATIONS = tuple(sorted(SQL.glob("[0-9][0-9][0-9]_*.sql")))


def migrate(db: DuckDBPyConnection, migrations: Iterable[Path] = MIGRATIONS) -> None:
    """Bring a database up to date: the missing migrations, all of them or none. Raises `NewerSchemaError`.

    A migration below the latest may be missing too: two branches of work may be merged in any order.
    """
    wanted = {int(file.name[:3]): file for file in migrations}
    found = _versions(db)
    if found and max(found) > max(wanted):
        raise NewerSchemaError(max(found), max(wanted))
    if found.issuperset(wanted):
        return
    db.execute("BEGIN")
    db.execute("CREATE SCHEMA IF NOT EXISTS ops")
    db.execute("CREATE TABLE IF NOT EXISTS ops.schema_versions (version INTEGER, name VARCHAR, applied_at TIMESTAMPTZ)")
    for version, file in sorted(wanted.items()):
        if version not in found:
            db.execute(file.read_text())
            db.execute("INSERT INTO ops.schema_versions VALUES (?, ?, now())", [version, file.stem])
    db.execute("COMMIT")


def _versions(db: DuckDBPyConnection) -> set[int]:
    """None for a fresh file. (Looking into the catalogue first would take 7 ms; this takes half of one.)"""
    import duckdb

    try:
        return {version for (version,) in db.execute("SELECT version FROM ops.schema_versions").fetchall()}
    except duckdb.CatalogException:
        return set()


@lru_cache(maxsize=1)
def tables() -> Tables:
    """Every table with its columns, read from the migrations: what the UI shows before any database exists."""
    return read_tables(MIGRATIONS)
