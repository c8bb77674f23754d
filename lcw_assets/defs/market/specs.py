"""What the assets of the fetch cycle are: one table each, described once."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from lcw_assets.warehouse.schema import tables

OWNERS = ["team:lcw-assets"]

# A cycle a minute: two missed ones are worth a look, five are a breach.
_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=5), warn_window=timedelta(minutes=2))


def table_spec(
    key: str,
    description: str,
    *,
    table: str | None = None,
    deps: Sequence[str] = (),
    kinds: set[str] | None = None,
    skippable: bool = False,
) -> dg.AssetSpec:
    """An asset that is a table. Its key is the table's address unless `table` says otherwise."""
    address = table or key.replace("/", ".")
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=not column.required),
        )
        for column in tables()[address]
    ]
    return dg.AssetSpec(
        key.split("/"),
        description=description,
        deps=[dep.split("/") for dep in deps],
        group_name=key.split("/")[0],
        owners=OWNERS,
        kinds=kinds or {"duckdb", "table"},
        skippable=skippable,
        freshness_policy=_FRESHNESS,
        metadata={
            "dagster/table_name": address,
            "dagster/column_schema": dg.TableSchema(columns=columns),
        },
    )


def _raw(name: str, description: str) -> dg.AssetSpec:
    return table_spec(f"raw/{name}", description, table="raw.pulls", kinds={"python", "duckdb"})


def _stored(key: str, description: str, *deps: str) -> dg.AssetSpec:
    # Skippable: a cycle that finds the database locked leaves its answers in the spool and changes no table.
    return table_spec(key, description, deps=deps, skippable=True)


RAW_PARTS = ("status", "credits", "overview", "coins", "exchanges")


# Functions, because Dagster takes every spec that it finds in a module for an asset of its own.
def pull_specs() -> list[dg.AssetSpec]:
    return [
        _raw("status", "Is the API up: the answer to `status`, which costs no credit."),
        _raw("credits", "The day's API credits, of which every call costs one."),
        _raw("overview", "The whole market's cap, volume, liquidity and Bitcoin's share, as answered."),
        _raw("coins", "The largest coins by rank, in pages of 100, as answered."),
        _raw("exchanges", "The largest exchanges by volume, in pages of 100, as answered."),
    ]


def store_specs() -> list[dg.AssetSpec]:
    raw = [f"raw/{part}" for part in RAW_PARTS]
    return [
        _stored("market/coins", "Every coin's latest values, one row a `(code, currency)`.", "raw/coins"),
        _stored(
            "market/coin_ticks",
            "Every change of a coin's values: a row only where they differ from the ones before.",
            "raw/coins",
            "market/coins",
        ),
        _stored("market/exchanges", "Every exchange's latest values, one row a `(code, currency)`.", "raw/exchanges"),
        _stored(
            "market/exchange_ticks",
            "Every change of an exchange's values: a row only where they differ from the ones before.",
            "raw/exchanges",
            "market/exchanges",
        ),
        _stored("market/overview_ticks", "Every change of the whole market's values.", "raw/overview"),
        _stored(
            "ops/cycles", "One row a fetch cycle: how long it took, where each second went, what was missing.", *raw
        ),
        _stored("ops/calls", "One row a request: endpoint, attempt, latency, bytes, outcome.", *raw),
    ]
