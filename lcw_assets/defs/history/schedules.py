"""When what is derived is built: beside every tenth cycle, and off the full minute, when cycles store."""

import dagster as dg

from lcw_assets.defs.history.jobs import derive
from lcw_assets.orchestration.guard import run_unless_running


@dg.schedule(
    job=derive,
    cron_schedule="4-59/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every ten minutes, unless the run before still waits for the database.",
)
def derive_every_ten_minutes(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    return run_unless_running(context, derive.name)
