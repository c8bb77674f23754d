"""Writes to the tables: rows as JSON texts that DuckDB unpacks, a single row with parameters.

`executemany` costs about a millisecond a row; a JSON text stages 1,000 coins in five, and needs no DataFrame.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from lcw_assets.warehouse.ddl import Column
from lcw_assets.warehouse.schema import SQL, tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# How far a time may be ahead of this machine's clock and still be accepted.
CLOCKS_DIFFER = timedelta(minutes=1)

_KEY = ("code", "currency", "observed_at", "changed_at", "cycle_id")


@dataclass(frozen=True)
class Page:
    """Rows of one response: a JSON array of `count` objects under column names, and when the response came.

    `described`: the rows have the descriptive columns (names, supplies, links) besides those that move.
    """

    rows: str
    count: int
    observed_at: datetime
    described: bool = False


@dataclass(frozen=True)
class Merged:
    """What a merge did, in rows. New rows count as changed; `late` ones were not newer than the rows before."""

    seen: int = 0
    changed: int = 0
    late: int = 0


@contextmanager
def transaction(db: DuckDBPyConnection) -> Iterator[None]:
    """All of the block or nothing of it."""
    db.execute("BEGIN")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def append(db: DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]], *, long: str | None = None) -> None:
    """Append rows. `long` names a column of long texts, which are passed beside the JSON and not in it."""
    if not rows:
        return
    short = [column.name for column in tables()[table] if column.name != long]
    if long is None and len(rows) == 1:
        append_row(db, table, {name: rows[0].get(name) for name in short})
    elif long is None:
        db.execute(f"INSERT INTO {table} BY NAME {_unpacked(table, short)}", [_texts(rows, short)])
    else:
        db.execute(
            f"INSERT INTO {table} BY NAME SELECT unnest(row), * EXCLUDE (row) "  # noqa: S608 - names of our own
            f"FROM (SELECT unnest(from_json(?, '{_structure(table, short)}')) AS row, unnest(?::VARCHAR[]) AS {long})",
            [_text(rows, short), [row[long] for row in rows]],
        )


def update(
    db: DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]], *, key: str, columns: Collection[str]
) -> None:
    """Set these columns, which all rows have, where `table` has the same `key`."""
    if not rows:
        return
    assignments = ", ".join(f"{name} = new.{name}" for name in columns)
    db.execute(
        f"UPDATE {table} AS old SET {assignments} "  # noqa: S608 - names of our own
        f"FROM ({_unpacked(table, (key, *columns))}) AS new WHERE old.{key} = new.{key}",
        [_texts(rows, (key, *columns))],
    )


def merge(
    db: DuckDBPyConnection,
    latest: str,
    ticks: str,
    pages: Sequence[Page],
    *,
    currency: str,
    cycle_id: str,
    not_after: datetime,
) -> Merged:
    """Bring the latest rows up to date, and add a tick for each row whose values differ from its latest ones.

    No code may be in two pages. A row that is not newer than its latest one is left out: the ticks after it were made
    without it, so it would make them wrong. (Only cycles that overlap have such rows.) Latest rows that are later than
    `not_after` are ignored.
    """
    if not pages:
        return Merged()
    upsert, add_ticks = _statements("merge", latest, ticks)
    texts, times = [page.rows for page in pages], [page.observed_at for page in pages]
    [taken] = one_row(db, upsert, [currency, cycle_id, texts, times, not_after, not_after])
    [changed] = one_row(db, add_ticks, [cycle_id])
    described = [page.rows for page in pages if page.described]
    if described:
        [describe] = _statements("describe", latest, ticks)
        db.execute(describe, [described, currency])
    seen = sum(page.count for page in pages)
    return Merged(seen, changed, seen - taken)


def append_changed(
    db: DuckDBPyConnection, ticks: str, row: Mapping[str, Any], *, observed_at: datetime, currency: str, cycle_id: str
) -> Merged:
    """Add `row` as a tick if its values differ from those of the tick before it: for one row a cycle."""
    values = [column.name for column in tables()[ticks] if column.name not in _KEY]
    last = db.execute(
        f"SELECT {', '.join(values)} FROM {ticks} "  # noqa: S608 - names of our own
        "WHERE currency = ? AND observed_at <= ? ORDER BY observed_at DESC LIMIT 1",
        [currency, observed_at],
    ).fetchone()
    if last == tuple(row.get(name) for name in values):
        return Merged(1, 0)
    append_row(db, ticks, {**row, "observed_at": observed_at, "currency": currency, "cycle_id": cycle_id})
    return Merged(1, 1)


def append_row(db: DuckDBPyConnection, table: str, row: Mapping[str, Any]) -> None:
    """Append one row with parameters, which is faster than JSON."""
    columns = tables()[table]
    places = ", ".join("?" * len(columns))
    db.execute(
        f"INSERT INTO {table} ({', '.join(column.name for column in columns)}) VALUES ({places})",  # noqa: S608 - our own
        [_given(column, row[column.name]) for column in columns],
    )


def _given(column: Column, value: Any) -> Any:
    """As JSON text: DuckDB would make a STRUCT of a dictionary, whose lists have one type."""
    return to_json(value).decode() if column.type == "JSON" and value is not None else value


def one_row(db: DuckDBPyConnection, query: str, parameters: object = None) -> tuple[Any, ...]:
    """The first row of a query that always has one."""
    row = db.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError(query)
    return row


def _texts(rows: Sequence[Mapping[str, Any]], columns: Collection[str]) -> list[str]:
    """DuckDB unpacks texts of so many records three times as fast as one text with all of them (measured, 5,000)."""
    return [_text(rows[first : first + 500], columns) for first in range(0, len(rows), 500)]


def _text(rows: Sequence[Mapping[str, Any]], columns: Collection[str]) -> str:
    return to_json([{name: row.get(name) for name in columns} for row in rows]).decode()


def _unpacked(table: str, columns: Collection[str]) -> str:
    """The query that returns the rows of `_texts`."""
    return (
        f"SELECT unnest(row) FROM (SELECT unnest(from_json(rows, '{_structure(table, columns)}')) AS row "  # noqa: S608
        "FROM (SELECT unnest(?::VARCHAR[]) AS rows))"
    )


def _structure(table: str, columns: Collection[str]) -> str:
    """The structure with which `from_json` unpacks an array of rows with these columns."""
    types = {column.name: column.type for column in tables()[table] if column.name in columns}
    return json.dumps([{name: [type_[:-2]] if type_.endswith("[]") else type_ for name, type_ in types.items()}])


def _names(latest: str, ticks: str) -> Mapping[str, str]:
    """The names of tables and columns in the templates in `sql/`.

    Columns of `ticks` move; those only in `latest` describe.
    """
    columns = [column.name for column in tables()[ticks]]
    values = [name for name in columns if name not in _KEY]
    profile = [column.name for column in tables()[latest] if column.name not in (*columns, *_KEY)]
    return {
        "latest": latest,
        "ticks": ticks,
        "structure": _structure(ticks, ["code", *values]),
        "profile_structure": _structure(latest, ["code", *profile]),
        "tick_columns": ", ".join(columns),
        "new_tick_columns": ", ".join(f"new.{name}" for name in columns),
        "new_values": ", ".join(f"new.{name}" for name in values),
        "old_values": ", ".join(f"old.{name}" for name in values),
        "assignments": ", ".join(f"{name} = new.{name}" for name in (*values, "observed_at", "cycle_id")),
        "profile_assignments": ", ".join(f"{name} = new.{name}" for name in profile),
    }


@cache
def _statements(file: str, latest: str, ticks: str) -> tuple[str, ...]:
    """The statements of a template in `sql/`, for these tables."""
    text = Template((SQL / f"{file}.sql").read_text()).substitute(_names(latest, ticks))
    return tuple(statement for statement in text.split(";\n") if statement.strip())
