"""A job a series, so that each can be backfilled for itself; and the one that builds what is derived."""

import dagster as dg

from lcw_assets.defs.history.series import SERIES
from lcw_assets.orchestration.dagster_private import UnresolvedAssetJobDefinition

_ONE_PROCESS: dict[str, object] = {
    "executor_def": dg.in_process_executor,
    "config": {"loggers": {"console": {}}},
}

# One backfill asks at a time: the others wait in the queue (see dagster.yaml), where they cost nothing.
HISTORY_TAG = "lcw/history"


def job_name(series: str) -> str:
    return f"backfill_{series}"


def _backfill_job(series: str) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        job_name(series),
        selection=dg.AssetSelection.assets(f"history/{series}"),
        description=f"Fill days of history.{series}: those of its partition, or of a range. A year in one run: "
        f"`dg launch --job {job_name(series)} --partition-range 2025-01-01...2025-12-31`.",
        tags={HISTORY_TAG: series, "dagster/max_runtime": "86400"},
        **_ONE_PROCESS,  # type: ignore[arg-type]
    )


backfills = [_backfill_job(series) for series in SERIES]

derive = dg.define_asset_job(
    "derive",
    selection=dg.AssetSelection.assets("market/coin_bars", "ops/gaps"),
    description="Build bars and checkpoints from the newest ticks, and look for gaps.",
    # It takes seconds, and waits for whoever has the database open, for an hour.
    tags={"dagster/max_runtime": "4200"},
    **_ONE_PROCESS,  # type: ignore[arg-type]
)
