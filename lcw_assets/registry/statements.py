"""The SQL of the registry, for the columns that the tables have."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from string import Template

from lcw_assets.sources.kucoin_futures_records import Contract
from lcw_assets.warehouse.schema import Column, tables

_SQL = Path(__file__).parent / "sql"

# What moves from minute to minute. It has no events: a row of registry.token_snapshots tells of some of it.
_MOVES = (
    "funding_fee_rate", "predicted_funding_fee_rate", "next_funding_rate_time", "open_interest", "turnover_of_24h",
    "volume_of_24h", "mark_price", "index_price", "last_trade_price", "low_price", "high_price", "price_chg_pct",
    "price_chg", "buy_limit", "sell_limit",
)  # fmt: skip
# What is neither: the name, what `status` is made of, and what KuCoin may tell besides, whatever that is.
_NOTES = ("symbol", "exchange_status", "unknown_fields")


def terms() -> list[str]:
    """The columns of registry.tokens whose changes are events."""
    return [name for name in Contract.model_fields if name not in (*_MOVES, *_NOTES)]


def statements(file: str, told: Collection[str] = ()) -> Iterator[str]:
    """The statements of a file in `sql/`. Of the terms, only those that are `told` are compared and written."""
    text = Template((_SQL / f"{file}.sql").read_text()).safe_substitute(_names(frozenset(told)))
    return (statement for statement in text.split(";\n") if statement.strip())


@cache
def _names(told: frozenset[str]) -> dict[str, str]:
    columns = {column.name: column for column in tables()["registry.tokens"]}
    values = [column.name for column in tables()["registry.token_snapshots"] if column.name in columns][1:]
    known = [name for name in terms() if name in told]
    change = "{{'field': '{0}', 'old_value': old.{0}::VARCHAR, 'new_value': new.{0}::VARCHAR}}"
    return {
        "structure": json.dumps([{name: _unpacked(columns[name]) for name in Contract.model_fields}]),
        "fields": ",\n    ".join(f"{_as_stored(columns[name])} AS {name}" for name in Contract.model_fields),
        "terms_differ": _differ(known),
        "term_changes": ", ".join(change.format(name) for name in known or ["symbol"]),
        "term_assignments": "".join(f",\n    {name} = new.{name}" for name in known),
        "values": ", ".join(values),
        "values_differ": _differ(values),
        "move_assignments": ", ".join(f"{name} = new.{name}" for name in (*_MOVES, "next_funding_at")),
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
