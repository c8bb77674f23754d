"""What the assets of the fetch cycle are: one table each, described once."""

from datetime import timedelta

import dagster as dg

from lcw_assets.warehouse.schema import tables

OWNERS = ["team:lcw-assets"]

# A cycle a minute: two missed ones are worth a look, five are a breach.
_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=5), warn_window=timedelta(minutes=2))


def table_spec(key: str, description: str, *deps: str, table: str | None = None) -> dg.AssetSpec:
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
        kinds={"duckdb", "table"},
        freshness_policy=_FRESHNESS,
        metadata={
            "dagster/table_name": address,
            "dagster/column_schema": dg.TableSchema(columns=columns),
        },
    )


# Functions, because Dagster takes every spec that it finds in a module for an asset of its own.
def pull_specs() -> list[dg.AssetSpec]:
    described = {
        "status": "Is the API up: the answer to `status`, which costs no credit.",
        "credits": "The day's API credits, of which every call costs one.",
        "overview": "The whole market's cap, volume, liquidity and Bitcoin's share, as answered.",
        "coins": "The largest coins by rank, in pages of 100, as answered.",
        "exchanges": "The largest exchanges by volume, in pages of 100, as answered.",
    }
    return [table_spec(f"raw/{part}", description, table="raw.pulls") for part, description in described.items()]


def store_specs() -> list[dg.AssetSpec]:
    raw = [spec.key.to_user_string() for spec in pull_specs()]
    latest = "latest values, one row a `(code, currency)`."
    changes = "a row only where they differ from the ones before."
    return [
        table_spec("market/coins", f"Every coin's {latest}", "raw/coins"),
        table_spec("market/coin_ticks", f"Every change of a coin's values: {changes}", "market/coins"),
        table_spec("market/exchanges", f"Every exchange's {latest}", "raw/exchanges"),
        table_spec(
            "market/exchange_ticks",
            f"Every change of an exchange's values: {changes}",
            "market/exchanges",
        ),
        table_spec("market/overview_ticks", f"Every change of the whole market's values: {changes}", "raw/overview"),
        table_spec("ops/calls", "One row a request: endpoint, attempt, latency, bytes, outcome.", *raw),
        table_spec(
            "ops/cycles",
            "One row a cycle: how long it took, where each second went, what was missing.",
            "market/coins",
            "market/exchanges",
            "market/overview_ticks",
            "ops/calls",
        ),
    ]
