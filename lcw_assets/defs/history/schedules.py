"""When what is derived is built: beside every tenth cycle, and off the full minute, when cycles store."""

import dagster as dg

from lcw_assets.defs.history.jobs import derive

derive_every_ten_minutes = dg.ScheduleDefinition(
    name="derive_every_ten_minutes",
    job=derive,
    cron_schedule="4-59/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every ten minutes.",
)
