"""The SQL of the registry, for the columns that the tables have."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from lcw_assets.registry.staging import MOVES, NOTES, TERMS
from lcw_assets.warehouse.schema import Column, tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent / "sql"


def run(db: DuckDBPyConnection, file: str, parameters: object = None, *, told: Collection[str] = ()) -> int:
    """Run a file of `sql/`, and give how many rows its first statement wrote.

    Of the terms, only those that are `told` are compared and written.
    """
    first, *rest = _statements(file, frozenset(told))
    written = db.execute(first, parameters).fetchone()
    for statement in rest:
        db.execute(statement)
    return int(written[0]) if written else 0


@cache
def text(file: str) -> str:
    """A query of `sql/` that needs no names."""
    return (_SQL / f"{file}.sql").read_text()


@cache
def _statements(file: str, told: frozenset[str]) -> list[str]:
    filled = Template(text(file)).substitute(_names(told))
    return [statement for statement in filled.split(";\n") if statement.strip()]


@cache
def _names(told: frozenset[str]) -> dict[str, str]:
    columns = {column.name: column for column in tables()["registry.tokens"]}
    values = [column.name for column in tables()["registry.token_snapshots"] if column.name in MOVES]
    lasting = ["symbol", *TERMS, *NOTES, "fingerprint"]
    terms = [name for name in TERMS if name in told]
    change = "{{'field': '{0}', 'old_value': old.{0}::VARCHAR, 'new_value': new.{0}::VARCHAR}}"
    return {
        "move_structure": json.dumps({name: [columns[name].type] for name in ("symbol", *MOVES, "fingerprint")}),
        "move_lists": ", ".join(f"unnest(lists.{name}) AS {name}" for name in ("symbol", *MOVES, "fingerprint")),
        "move_assignments": ", ".join(f"{name} = new.{name}" for name in (*MOVES, "next_funding_at")),
        "structure": json.dumps([{name: _unpacked(columns[name]) for name in lasting}]),
        "fields": ",\n    ".join(f"{_as_stored(columns[name])} AS {name}" for name in lasting),
        "terms_differ": _differ(terms),
        "term_changes": ", ".join(change.format(name) for name in terms),
        "term_assignments": "".join(f",\n    {name} = new.{name}" for name in terms),
        "values": ", ".join(f"new.{name}" for name in values),
        "values_differ": _differ(values),
    }


def _differ(names: Collection[str]) -> str:
    return " OR ".join(f"new.{name} IS DISTINCT FROM old.{name}" for name in names) or "false"


def _unpacked(column: Column) -> str | list[str]:
    """The type that `from_json` is to give a field: dates come as milliseconds, JSON as text."""
    if column.type.endswith("[]"):
        return [column.type[:-2]]
    return {"TIMESTAMPTZ": "BIGINT", "JSON": "VARCHAR"}.get(column.type, column.type)


def _as_stored(column: Column) -> str:
    return {
        "TIMESTAMPTZ": "make_timestamptz(1000 * {0})",
        "JSON": "{0}::JSON",
        "VARCHAR": "nullif({0}, '')",
        "VARCHAR[]": "list_sort({0})",
        "DOUBLE": "{0} + 0",
    }.get(column.type, "{0}").format(column.name)
