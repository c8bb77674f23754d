"""The job that is one sync."""

import dagster as dg

from lcw_assets.defs.registry.specs import registry_specs

token_registry_sync = dg.define_asset_job(
    "token_registry_sync",
    selection=dg.AssetSelection.assets(*(spec.key for spec in registry_specs())),
    description="Ask KuCoin for every futures contract, and bring the token registry up to date.",
    executor_def=dg.in_process_executor,
    config={"loggers": {"console": {}}},
    tags={
        # It asks for 30 s at most, waits 5 s for the database, and is to be over when the next one is due.
        "dagster/max_runtime": "60",
    },
)
