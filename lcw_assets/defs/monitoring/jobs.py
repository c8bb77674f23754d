"""The jobs that report. Each in one process: they take a second, and wait for the database for an hour at most."""

import dagster as dg

_ONE_PROCESS: dict[str, object] = {
    "executor_def": dg.in_process_executor,
    "config": {"loggers": {"console": {}}},
}
_TAGS = {"dagster/max_runtime": "4200"}

performance_report = dg.define_asset_job(
    "performance_report",
    selection=dg.AssetSelection.assets("reports/performance_72h", "reports/slow_cycles"),
    description="Report the last 72 hours, and explain the cycles that were slow.",
    tags=_TAGS,
    **_ONE_PROCESS,  # type: ignore[arg-type]
)

performance_day = dg.define_asset_job(
    "performance_day",
    selection=dg.AssetSelection.assets("reports/performance_daily"),
    description="Report a day, from 00:00 to 24:00 UTC; or many in one run: `dg launch --job performance_day "
    "--partition-range 2026-11-01...2026-11-07`.",
    tags={**_TAGS, "lcw/report-day": "true"},  # one at a time: see dagster.yaml
    **_ONE_PROCESS,  # type: ignore[arg-type]
)
