"""The SQL runner: the `.sql` files beside a module, each read once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Statements:
    """The folder `sql` beside a module, given as its `__file__`.

    `$names` in a file are parameters of its query. What cannot be a parameter in SQL, such as columns, is in `names`.
    """

    def __init__(self, module: str) -> None:
        self._folder = Path(module).parent / "sql"

    def text(self, file: str, **names: str) -> str:
        text = _read(self._folder / f"{file}.sql")
        return Template(text).safe_substitute(names) if names else text

    def each(self, file: str, **names: str) -> tuple[str, ...]:
        """The statements of a file that has several."""
        return tuple(statement for statement in self.text(file, **names).split(";\n") if statement.strip())

    def rows(
        self, db: DuckDBPyConnection, file: str, parameters: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The rows of a query, by column name."""
        return query_rows(db, self.text(file), parameters)


def query_rows(db: DuckDBPyConnection, query: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query, by column name."""
    found = db.execute(query, parameters)
    columns = [column[0] for column in found.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


@cache
def _read(path: Path) -> str:
    return path.read_text()
