"""A cycle a minute, and never two at once."""

import dagster as dg

from lcw_assets.defs.market.jobs import fetch_cycle
from lcw_assets.orchestration.guard import run_unless_running
from lcw_assets.sources.lcw.spec import SOURCE


@dg.schedule(
    job=fetch_cycle,
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every minute, unless a cycle is still running.",
)
def fetch_cycle_every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    return run_unless_running(context, fetch_cycle.name, SOURCE)
