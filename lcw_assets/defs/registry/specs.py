"""What the assets of the token registry are: one table each, described once."""

from datetime import timedelta
from functools import partial

import dagster as dg

from lcw_assets.orchestration.table import table_spec

# A sync a minute, as for the fetch cycle.
_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=5), warn_window=timedelta(minutes=2))
_spec = partial(table_spec, freshness=_FRESHNESS)


# A function, because Dagster takes every spec that it finds in a module for an asset of its own.
def registry_specs() -> list[dg.AssetSpec]:
    tokens = "registry/tokens"
    return [
        _spec(
            "raw/contracts",
            "Every KuCoin futures contract, as answered: kept once an hour, and whenever an answer was not "
            "applied or something in it is refused for the first time in an hour.",
            table="raw.pulls",
        ),
        _spec(
            tokens,
            "Every KuCoin futures contract that there is or was: status, when it was listed and delisted, and all that "
            "KuCoin tells of it.",
            "raw/contracts",
        ),
        _spec(
            "registry/token_events",
            "What happened to each contract, each once: listed, delisted, relisted, changes of status and parameters "
            "with their old and new values.",
            tokens,
        ),
        _spec(
            "registry/token_snapshots",
            "Each contract's price, funding and open interest: a row only where they differ from the ones before.",
            tokens,
        ),
        _spec("ops/syncs", "One row a sync: where each second went, what changed, what was held back and why.", tokens),
    ]
