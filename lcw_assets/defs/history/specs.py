"""What the assets of history are."""

import dagster as dg

from lcw_assets.defs.history.series import FIRST, SERIES
from lcw_assets.orchestration.backfills import Days
from lcw_assets.orchestration.table import table_spec

DAYS = Days(start_date=FIRST.strftime("%Y-%m-%d"), timezone="UTC")

_GRIDS = {"daily": "a day", "hourly": "an hour", "5min": "five minutes"}


def history_spec(name: str) -> dg.AssetSpec:
    """A series: a partition a day, filled by backfills. `skippable`, for days that credits did not last for."""
    series = SERIES[name]
    what = "The tracked coins" if series.per_coin else "The whole market"
    hours = int(series.window.total_seconds() // 3600)
    window = f"{hours // 24} days" if hours >= 24 else f"{hours} hours"
    description = (
        f"{what} in the past, a point {_GRIDS[name.partition('_')[2]]}. A call, one credit, brings {window} of "
        f"{'one coin' if series.per_coin else 'it'}; a run asks only for what was not asked for before. Points that "
        "are restated replace the ones before, which `history.revisions` keeps."
    )
    return table_spec(f"history/{name}", description, skippable=True, partitions_def=DAYS)
