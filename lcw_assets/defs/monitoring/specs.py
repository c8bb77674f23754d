"""What the assets of the reports are."""

from datetime import timedelta

import dagster as dg

from lcw_assets.orchestration.backfills import Days
from lcw_assets.orchestration.table import table_spec

DAYS = Days(start_date="2026-01-01", timezone="UTC")


def report_spec(name: str, description: str, *, every: timedelta) -> dg.AssetSpec:
    """A report that is made `every` so often: one that is missed is worth a look, three are a breach."""
    return table_spec(
        f"reports/{name}",
        description,
        "ops/cycles",
        "ops/calls",
        freshness=dg.FreshnessPolicy.time_window(fail_window=3.5 * every, warn_window=1.5 * every),
    )
