"""What the assets of the fetch cycle are: one table each, described once."""

from datetime import timedelta
from functools import partial

import dagster as dg

from lcw_assets.orchestration.table import table_spec

# A cycle a minute: two missed ones are worth a look, five are a breach.
_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=5), warn_window=timedelta(minutes=2))
_spec = partial(table_spec, freshness=_FRESHNESS)


# Functions, because Dagster takes every spec that it finds in a module for an asset of its own.
def pull_specs() -> list[dg.AssetSpec]:
    described = {
        "status": "Is the API up: the answer to `status`, which costs no credit.",
        "credits": "The day's API credits, of which every call costs one.",
        "overview": "The whole market's cap, volume, liquidity and Bitcoin's share, as answered.",
        "coins": "The largest coins by rank, in pages of 100, as answered.",
        "exchanges": "The largest exchanges by volume, in pages of 100, as answered.",
    }
    return [_spec(f"raw/{part}", description, table="raw.pulls") for part, description in described.items()]


def store_specs() -> list[dg.AssetSpec]:
    raw = [spec.key.to_user_string() for spec in pull_specs()]
    latest = "latest values, one row a `(code, currency)`."
    changes = "a row only where they differ from the ones before."
    return [
        _spec(
            "market/coins",
            f"Every coin's {latest} A coin that has left the pages keeps its last ones: `market.current_coins` has "
            "those that are listed now.",
            "raw/coins",
        ),
        _spec("market/coin_ticks", f"Every change of a coin's values: {changes}", "market/coins"),
        _spec(
            "market/exchanges",
            f"Every exchange's {latest} `market.current_exchanges` has those that are listed now.",
            "raw/exchanges",
        ),
        _spec(
            "market/exchange_ticks",
            f"Every change of an exchange's values: {changes}",
            "market/exchanges",
        ),
        _spec("market/overview_ticks", f"Every change of the whole market's values: {changes}", "raw/overview"),
        _spec("ops/calls", "One row a request: endpoint, attempt, latency, bytes, outcome.", *raw),
        _spec(
            "ops/cycles",
            "One row a cycle: how long it took, where each second went, what was missing.",
            "market/coins",
            "market/exchanges",
            "market/overview_ticks",
            "ops/calls",
        ),
    ]
