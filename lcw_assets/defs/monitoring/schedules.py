"""When reports are made. Off the full hour, which has the largest cycle."""

import dagster as dg

from lcw_assets.defs.monitoring.jobs import performance_day, performance_report

performance_report_hourly = dg.ScheduleDefinition(
    name="performance_report_hourly",
    job=performance_report,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour, seven minutes past.",
)

# A day that was missed while nothing ran is not caught up with: `dagster job backfill -j performance_day` is for that.
performance_day_daily = dg.build_schedule_from_partitioned_job(
    performance_day,
    name="performance_day_daily",
    hour_of_day=0,
    minute_of_hour=17,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 00:17 UTC, the day before.",
)
