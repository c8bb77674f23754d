"""Runs that failed, of any job."""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from lcw_assets.alerts.incidents import Incidents, Observation
from lcw_assets.defs.monitoring.running import is_ended
from lcw_assets.orchestration.dagster_private import WILL_RETRY_TAG

# A run that somebody cancelled shows nothing of whether the job works.
_CONCLUSIVE = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def failed_runs(
    instance: dg.DagsterInstance, since: datetime, open_: Incidents, now: datetime
) -> Iterator[Observation]:
    """Runs that failed after `since`; of a job with an open incident, its latest run if that failed.

    Left out are runs that Dagster is about to start again, and runs that a blocking check failed: `failed_checks`
    reports these, with numbers.
    """
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    records = {record.dagster_run.job_name: record for record in instance.get_run_records(filters, ascending=True)}
    for job in filter(None, (incident.latest.subject for incident in open_.values())):
        records.pop(job, None)
        latest = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_CONCLUSIVE), limit=1)
        if latest and latest[0].dagster_run.status == dg.DagsterRunStatus.FAILURE:
            records[job] = latest[0]
    for job, record in records.items():
        run = record.dagster_run
        if is_ended(run) or run.tags.get(WILL_RETRY_TAG) == "true" or failed_by_a_check(instance, run.run_id):
            continue
        ended_at = datetime.fromtimestamp(record.end_time, timezone.utc) if record.end_time else now
        yield failed_run(job, run.run_id, _why_failed(instance, run.run_id), min(ended_at, now))


def failed_run(job: str, run_id: str, cause: str | None, at: datetime) -> Observation:
    """A run that failed `at` that time."""
    return Observation(
        incident=f"job {job}",
        subject=job,
        severity="critical",
        what=f"run {run_id[:8]} of {job} failed",
        since=at,
        cause=cause,
        run_id=run_id,
    )


def failed_by_a_check(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Did a step do all its work, and then fail because of a blocking check?"""
    steps = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    return bool(steps) and all(_is_of_a_check(entry.get_dagster_event()) for entry in steps)


def _is_of_a_check(event: dg.DagsterEvent) -> bool:
    error = innermost(getattr(event.event_specific_data, "error", None))
    return getattr(error, "cls_name", None) == "DagsterAssetCheckFailedError"


def innermost(error: Any) -> Any:
    """The error of Dagster's log that caused all others."""
    while getattr(error, "cause", None) is not None:
        error = error.cause
    return error


def _why_failed(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """In the words of the step that failed, or else of the run: of a `dg.Failure` its description, of any other error
    the first line.
    """
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    for event in (entry.get_dagster_event() for entry in instance.all_logs(run_id, of_type=kinds)):
        failure = getattr(event.event_specific_data, "user_failure_data", None)
        if failure is not None and failure.description:
            return str(failure.description)
        error = innermost(getattr(event.event_specific_data, "error", None))
        if error is not None and not _is_of_a_check(event):
            return next(iter(str(error.message).strip().splitlines()), error.cls_name)
        if event.message and event.event_type == dg.DagsterEventType.RUN_FAILURE:
            return event.message
    return None
