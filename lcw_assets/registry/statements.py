"""The SQL of the registry, for the columns that the tables have."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from lcw_assets.registry.staging import MOVES
from lcw_assets.warehouse.schema import tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent / "sql"


def run(db: DuckDBPyConnection, file: str, parameters: object = None) -> int:
    """Run a file of `sql/`, and give how many rows its first statement wrote."""
    first, *rest = _statements(file)
    written = db.execute(first, parameters).fetchone()
    for statement in rest:
        db.execute(statement)
    return int(written[0]) if written else 0


@cache
def text(file: str) -> str:
    """A query of `sql/` that needs no names."""
    return (_SQL / f"{file}.sql").read_text()


@cache
def _statements(file: str) -> list[str]:
    filled = Template(text(file)).substitute(_names())
    return [statement for statement in filled.split(";\n") if statement.strip()]


@cache
def _names() -> dict[str, str]:
    columns = {column.name: column for column in tables()["registry.tokens"]}
    values = [column.name for column in tables()["registry.token_snapshots"] if column.name in MOVES]
    loaded = ("symbol", *MOVES, "fingerprint")
    return {
        "structure": json.dumps({name: [columns[name].type] for name in loaded}),
        "lists": ", ".join(f"unnest(lists.{name}) AS {name}" for name in loaded),
        "assignments": ", ".join(f"{name} = new.{name}" for name in (*MOVES, "next_funding_at")),
        "values": ", ".join(f"new.{name}" for name in values),
        "values_differ": " OR ".join(f"new.{name} IS DISTINCT FROM old.{name}" for name in values),
    }
