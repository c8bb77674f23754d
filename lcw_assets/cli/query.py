"""A query, read only. The database is closed before anything is shown: until then no cycle can store."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import duckdb

from lcw_assets.cli import CommandError
from lcw_assets.settings import DataSettings
from lcw_assets.warehouse.connection import open_database

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

# A payload of raw.pulls is 200 KB in one line.
_COLUMN_WIDTH = 80


def table(settings: DataSettings, query: str, *, rows: int, width: int) -> list[str]:
    """At most `rows` rows of the result as a table of at most `width` characters a line.

    Raises `CommandError` and `WarehouseError`.
    """
    with _result(settings, query) as result:
        if result is None:
            return []
        drawn = io.StringIO()
        with redirect_stdout(drawn):
            result.limit(rows).show(max_rows=rows, max_width=width, max_col_width=_COLUMN_WIDTH)
    lines = drawn.getvalue().rstrip().split("\n")
    # A row is a line, and two are the names and the types. (Asking the result would run the query once more.)
    if sum(line.startswith("│") for line in lines) - 2 >= rows:
        lines.append(f"at most {rows:,} rows are shown: --rows N shows more, --csv writes all")
    return lines


def csv(settings: DataSettings, query: str, to: TextIO) -> None:
    """All rows as CSV, with a header. Through a file, so that a slow reader blocks no cycle."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.csv"
        with _result(settings, query) as result:
            if result is None:
                return
            result.write_csv(str(file), header=True)
        with file.open() as rows:
            shutil.copyfileobj(rows, to)


@contextmanager
def _result(settings: DataSettings, query: str) -> Iterator[DuckDBPyRelation | None]:
    """Null for a statement without a result. `python_enable_replacements` would offer our variables as tables."""
    if not query.strip():
        raise CommandError('there is no query: make sql Q="SELECT code, rate FROM market.current_coins LIMIT 10"')
    config = {"python_enable_replacements": False}
    with open_database(settings.database, read_only=True, config=config) as db:
        try:
            yield db.sql(query)
        except duckdb.Error as error:
            message, _, _ = str(error).partition("\n\nLINE ")
            raise CommandError(" ".join(message.split())) from None
