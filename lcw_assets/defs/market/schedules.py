"""A cycle a minute, and never two at once."""

import dagster as dg

from lcw_assets.defs.market.jobs import SCHEDULED_AT_TAG, fetch_cycle

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.schedule(
    job=fetch_cycle,
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every minute, unless a cycle is still running.",
)
def fetch_cycle_every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Skip while a cycle runs. Should its process be dead, `dagster/max_runtime` ends the run and so the skipping."""
    running = context.instance.get_run_records(dg.RunsFilter(job_name=fetch_cycle.name, statuses=UNFINISHED), limit=1)
    if running:
        run = running[0]
        return dg.SkipReason(
            f"run {run.dagster_run.run_id} of {fetch_cycle.name} is {run.dagster_run.status.value} "
            f"since {run.create_timestamp:%H:%M:%S} UTC"
        )
    return dg.RunRequest(tags={SCHEDULED_AT_TAG: context.scheduled_execution_time.isoformat()})
