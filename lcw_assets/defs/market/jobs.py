"""The job that is one fetch cycle."""

import dagster as dg

from lcw_assets.defs.market.specs import pull_specs, store_specs

fetch_cycle = dg.define_asset_job(
    "fetch_cycle",
    selection=dg.AssetSelection.assets(*(spec.key for spec in (*pull_specs(), *store_specs()))),
    description="Pull everything from Live Coin Watch once, and store it.",
    # A process a step, Dagster's default, costs over a second each.
    executor_def=dg.in_process_executor,
    config={"loggers": {"console": {}}},  # without this, Dagster's own console logger is used, at DEBUG
    tags={
        # A cycle stops asking at LCW_CYCLE_DEADLINE_S (55 at most) and waits 5 s for the database. What still runs
        # after 90 is not a cycle any more, and while it runs the schedule skips.
        "dagster/max_runtime": "90",
        # Where runs queue, as when the token registry's begins on the same tick: this one goes first.
        "dagster/priority": "10",
    },
)
