"""Checks whose latest evaluation failed."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg

from lcw_assets.alerts.incidents import Incidents, Observation
from lcw_assets.defs.monitoring.checks import CAUSE, MEASURED
from lcw_assets.defs.monitoring.failed_runs import failed_by_a_check
from lcw_assets.defs.monitoring.running import is_reported
from lcw_assets.orchestration.dagster_private import AssetCheckExecutionRecordStatus
from lcw_assets.orchestration.guard import UNFINISHED

# From the last evaluation of a step's checks to the end of its run.
_RUNS_END_WITHIN = timedelta(seconds=20)


def failed_checks(
    instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey], open_: Incidents, now: datetime
) -> Iterator[Observation]:
    """Checks whose latest evaluation failed, also while the next one is planned already.

    A failed run is for `failed_runs` to report, unless the check is an open incident: that goes on.
    """
    for key in keys:
        # One query a check, newest first: one for all of them reads their whole history (0.15 s after two months).
        history = instance.event_log_storage.get_asset_check_execution_history(check_key=key, limit=3)
        record = next((one for one in history if one.status != AssetCheckExecutionRecordStatus.PLANNED), None)
        if record is None or record.event is None or record.status != AssetCheckExecutionRecordStatus.FAILED:
            continue
        at = min(datetime.fromtimestamp(record.create_timestamp, timezone.utc), now)
        evaluation = record.event.get_dagster_event().asset_check_evaluation_data
        observation = failed_check(evaluation, record.run_id, at)
        run = instance.get_run_by_id(record.run_id)
        if key.name == "cycle_time" and run and is_reported(run, observation.severity):
            continue
        if observation.incident in open_ or run is None or not _run_reports_it(instance, run, now - at):
            yield observation


def failed_check(evaluation: dg.AssetCheckEvaluation | dg.AssetCheckResult, run_id: str, at: datetime) -> Observation:
    """A check that failed `at` that time."""
    key = evaluation.asset_key.to_user_string() if evaluation.asset_key else ""
    explained: dict[str, Any] = {name: value.value for name, value in evaluation.metadata.items()}
    return Observation(
        incident=f"{key}:{evaluation.check_name}",
        severity="critical" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning",
        what=explained.get(MEASURED) or evaluation.description or "failed",
        since=at,
        cause=explained.get(CAUSE),
        run_id=run_id,
    )


def _run_reports_it(instance: dg.DagsterInstance, run: dg.DagsterRun, since: timedelta) -> bool:
    """Has the run of a failed check failed as well, for another reason? A run that still runs may fail in a moment: a
    step evaluates its checks, and then fails.
    """
    if run.status in UNFINISHED:
        return since < _RUNS_END_WITHIN
    return run.status == dg.DagsterRunStatus.FAILURE and not failed_by_a_check(instance, run.run_id)
