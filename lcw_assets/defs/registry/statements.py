"""The SQL of the registry, for the columns that the tables have."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from lcw_assets.defs.registry.staging import LOADED, MOVES
from lcw_assets.warehouse.schema import tables
from lcw_assets.warehouse.statements import Statements

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)
_ALL = frozenset(MOVES)


def run(db: DuckDBPyConnection, file: str, parameters: object = None, *, moves: frozenset[str] = _ALL) -> int:
    """Run a file of `sql/`; returns the rows written. Of the values that move, only `moves` are compared and set."""
    written = db.execute(_statement(file, moves), parameters).fetchone()
    return int(written[0]) if written else 0


def text(file: str) -> str:
    """A query of `sql/` that needs no names."""
    return _SQL.text(file)


@cache
def _statement(file: str, moves: frozenset[str]) -> str:
    columns = {column.name: column for column in tables()["registry.tokens"]}
    values = [column.name for column in tables()["registry.token_snapshots"] if column.name in MOVES]
    types = {name: "VARCHAR" if columns[name].type == "JSON" else columns[name].type for name in LOADED}
    set_ = [name for name in MOVES if name in moves]
    if "next_funding_rate_time" in moves:
        set_.append("next_funding_at")
    names = {
        "structure": json.dumps({name: [type_] for name, type_ in types.items()}),
        "lists": ", ".join(f"unnest(lists.{name}) AS {name}" for name in LOADED),
        "assignments": "".join(f", {name} = new.{name}" for name in set_),
        "values": ", ".join(f"{'new' if name in moves else 'old'}.{name}" for name in values),
        "values_differ": "".join(f" OR new.{name} IS DISTINCT FROM old.{name}" for name in values if name in moves),
    }
    return _SQL.text(file, **names)
