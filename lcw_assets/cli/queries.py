"""The queries of these commands, in `sql/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent / "sql"


def rows(db: DuckDBPyConnection, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The rows of `sql/<name>.sql`, by column name."""
    found = db.execute((_SQL / f"{name}.sql").read_text(), parameters)
    columns = [column[0] for column in found.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
