"""What a schedule looks at before it starts a run: never two of one job at once."""

import re

import dagster as dg

SCHEDULED_AT_TAG = "lcw/scheduled_at"

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def run_unless_running(context: dg.ScheduleEvaluationContext, job_name: str) -> dg.RunRequest | dg.SkipReason:
    """Skip while a run goes on. Should its process be dead, `dagster/max_runtime` ends the run and so the skipping."""
    running = context.instance.get_run_records(dg.RunsFilter(job_name=job_name, statuses=UNFINISHED), limit=1)
    if running:
        run = running[0]
        return dg.SkipReason(
            f"run {run.dagster_run.run_id} of {job_name} is {run.dagster_run.status.value} "
            f"since {run.create_timestamp:%H:%M:%S} UTC"
        )
    return dg.RunRequest(tags={SCHEDULED_AT_TAG: context.scheduled_execution_time.isoformat()})


def kind_of_skip(reason: str | None) -> str:
    """A reason without the run and the moment that it names, so that the same thing counts as the same."""
    return re.sub(r"^run \S+ of (\S+) is (\S+) since .*$", r"a run of \1 was \2", reason or "no reason given")
