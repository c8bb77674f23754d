"""Writing to the tables: rows go in as one JSON text that DuckDB unpacks itself.

`executemany` costs about a millisecond a row; a JSON text stages 1,000 coins in five, and needs no DataFrame.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Any

from lcw_assets.warehouse.schema import SQL, tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_KEY = ("code", "currency", "observed_at", "changed_at", "cycle_id")


@dataclass(frozen=True)
class Page:
    """Rows of one answer: a JSON array of objects under column names, and when the answer came."""

    rows: str
    observed_at: datetime


@dataclass(frozen=True)
class Merged:
    """What a merge did, in rows. New rows count as changed; `late` ones were older than what was there already.

    `negative` names those with a value below zero.
    """

    seen: int = 0
    changed: int = 0
    late: int = 0
    negative: tuple[str, ...] = ()


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
    """Append rows. `long` names a column of long texts, which go in beside the JSON and not through it."""
    if not rows:
        return
    short = json.dumps([{name: value for name, value in row.items() if name != long} for row in rows])
    parameters: list[Any] = [short] if long is None else [short, [row[long] for row in rows]]
    texts = "" if long is None else f", unnest(?::VARCHAR[]) AS {long}"
    db.execute(
        f"INSERT INTO {table} BY NAME SELECT unnest(row), * EXCLUDE (row) "  # noqa: S608 - names of our own
        f"FROM (SELECT unnest(from_json(?, '{_structure(table, {long})}')) AS row{texts})",
        parameters,
    )


def merge(
    db: DuckDBPyConnection, latest: str, ticks: str, pages: Sequence[Page], *, currency: str, cycle_id: str
) -> Merged:
    """Bring the latest rows up to date, and add a tick for each row whose values differ from its latest ones.

    No code may stand in two pages. A row older than its latest one is left out: the ticks after it were decided
    without it, so that taking it in would make them wrong. This takes two cycles that overlap.
    """
    names = _names(ticks) | {"latest": latest, "structure": _structure(latest, _KEY[1:])}
    _run(db, "stage", names, [currency, cycle_id, [page.rows for page in pages], [page.observed_at for page in pages]])
    seen, changed, late, negative = one_row(
        db,
        "SELECT count(*), count(*) FILTER (is_changed AND NOT is_late), count(*) FILTER (is_late), "
        "coalesce(list(code) FILTER (is_negative), []) FROM staged",
    )
    _run(db, "merge", names)
    return Merged(seen, changed, late, tuple(negative))


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
    negative = tuple(name for name in values if (row.get(name) or 0) < 0)
    if last == tuple(row.get(name) for name in values):
        return Merged(1, 0, negative=negative)
    key = {"observed_at": observed_at.isoformat(), "currency": currency, "cycle_id": cycle_id}
    append(db, ticks, [{**row, **key}])
    return Merged(1, 1, negative=negative)


def one_row(db: DuckDBPyConnection, query: str, parameters: object = None) -> tuple[Any, ...]:
    """The first row of a query that always has one."""
    row = db.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError(query)
    return row


def _structure(table: str, without: Collection[str | None]) -> str:
    """How `from_json` is to unpack an array of the table's rows."""
    columns = {
        column.name: [column.type[:-2]] if column.type.endswith("[]") else column.type
        for column in tables()[table]
        if column.name not in without
    }
    return json.dumps([columns])


def _names(ticks: str) -> dict[str, str]:
    """What the templates in `sql/` call the tables and their columns."""
    columns = [column.name for column in tables()[ticks]]
    values = [name for name in columns if name not in _KEY]
    return {
        "ticks": ticks,
        "tick_columns": ", ".join(columns),
        "new_values": ", ".join(f"new.{name}" for name in values),
        "old_values": ", ".join(f"old.{name}" for name in values),
    }


def _run(db: DuckDBPyConnection, file: str, names: Mapping[str, str], parameters: Sequence[Any] = ()) -> None:
    """Run the statements of a template; the first one takes the parameters."""
    for number, statement in enumerate(_statements(file)):
        db.execute(statement.substitute(names), parameters if number == 0 else None)


@cache
def _statements(file: str) -> tuple[Template, ...]:
    return tuple(Template(text) for text in (SQL / f"{file}.sql").read_text().split(";\n") if text.strip())
