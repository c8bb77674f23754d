"""Jobs and schedules: one process a run, one run of a job at a time."""

from collections.abc import Mapping

import dagster as dg

from lcw_assets.orchestration.dagster_private import UnresolvedAssetJobDefinition
from lcw_assets.orchestration.guard import run_unless_running


def one_process_job(
    name: str, *assets: str, description: str, max_runtime_s: int, tags: Mapping[str, str] | None = None
) -> UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets),
        description=description,
        tags={**(tags or {}), "dagster/max_runtime": str(max_runtime_s)},
        executor_def=dg.in_process_executor,
        config={"loggers": {"console": {}}},
    )


def guarded_schedule(
    name: str, job: UnresolvedAssetJobDefinition, cron: str, description: str
) -> dg.ScheduleDefinition:
    """In UTC, on from the start. It skips while a run goes on."""
    return dg.schedule(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )(lambda context: run_unless_running(context, job.name))
