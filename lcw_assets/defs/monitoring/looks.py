"""What the sensors look at besides running cycles, and what they call wrong."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets.alerts.incidents import Incidents, Observation
from lcw_assets.defs.monitoring.running import was_ended, was_told
from lcw_assets.defs.monitoring.sla import Sla
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.dagster_private import WILL_RETRY_TAG, AssetCheckExecutionRecordStatus, InstigatorType
from lcw_assets.orchestration.guard import UNFINISHED
from lcw_assets.warehouse.errors import Holder

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

# From the last evaluation of a step's checks to the end of its run.
_RUNS_END_WITHIN = timedelta(seconds=20)

_EVERY_MINUTE = {"fetch_cycle_every_minute", "token_registry_sync"}
# A run that somebody cancelled says nothing of whether the job works.
_CONCLUSIVE = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def silent_schedules(
    instance: dg.DagsterInstance, watching_since: datetime, sla: Sla, now: datetime, location: str | None = None
) -> Iterator[Observation]:
    """A minute's schedule is on, and nothing of it has been heard for too long, though somebody was there to listen.

    `location` is the code location to look at: a schedule of the same name may once have been on in another.
    """
    silent: dict[str, datetime] = {}
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name not in _EVERY_MINUTE or not state.is_running:
            continue
        if location and state.origin.repository_origin.code_location_origin.location_name != location:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        last = datetime.fromtimestamp(ticks[0].timestamp, timezone.utc) if ticks else watching_since
        switched_on = getattr(state.instigator_data, "start_timestamp", None) or 0.0
        heard_at = max(last, watching_since, datetime.fromtimestamp(switched_on, timezone.utc))
        if (now - heard_at).total_seconds() > sla.watch.silent_after_s:
            silent[state.instigator_name] = heard_at
    if silent:
        since = min(silent.values())
        yield Observation(
            incident="schedule",
            severity="critical",
            what=f"not ticked since {since:%H:%M:%S} UTC: {', '.join(sorted(silent))}",
            since=since,
            cause="the scheduler in dagster-daemon has stopped, or cannot load the code: see the daemon's log",
        )


def growing_spool(spools: Sequence[Spool], before: int, sla: Sla, now: datetime) -> tuple[int, list[Observation]]:
    """How many cycles and syncs wait to be stored, and whether that is too many and no fewer than `before`."""
    waiting = {spool.folder: spool.pending() for spool in spools}
    depth = sum(map(len, waiting.values()))
    if depth < sla.watch.spooled_cycles or depth < before:
        return depth, []
    since = now
    for path in (path for paths in waiting.values() for path in paths):
        with suppress(FileNotFoundError):  # stored since it was listed
            since = min(since, datetime.fromtimestamp(path.stat().st_mtime, timezone.utc))
    where = " and ".join(f"{len(paths)} in {folder}" for folder, paths in waiting.items() if paths)
    what = f"answers wait, {where}, and are not stored: nothing is lost, and the tables are not up to date"
    cause = _locked_by(spools, waiting) or (
        "the database is open elsewhere or cannot be written: the latest cycle's log says which"
    )
    return depth, [Observation(incident="spool", severity="warning", what=what, since=since, cause=cause)]


def _locked_by(spools: Sequence[Spool], waiting: Mapping[Path, Sequence[Path]]) -> str | None:
    """Who had the database open when the newest of what waits was to be stored; null if that met no lock."""
    waits: list[Mapping[str, Any]] = []
    for spool in spools:
        for path in waiting[spool.folder][-1:]:
            with suppress(ValueError, OSError):  # damaged: whoever stores it says so
                spooled = spool.read(path)
                waits += spooled.lock_waits[-1:] if spooled else []
    last = max(waits, key=lambda wait: wait["waited_at"], default=None)
    if last is None:
        return None
    at = datetime.fromisoformat(last["waited_at"])
    return f"the database was held open by {Holder(last['holder'], last['pid'])} at {at:%H:%M:%S} UTC"


def failed_checks(
    instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey], open_: Incidents, now: datetime
) -> Iterator[Observation]:
    """Checks whose latest evaluation failed, also while the next one is planned already.

    What a run says by failing, `failed_runs` tells of, unless the check is an open incident: that goes on.
    """
    for key in keys:
        # One query a check, newest first: asking for all at once reads their whole history (0.15 s after two months).
        history = instance.event_log_storage.get_asset_check_execution_history(check_key=key, limit=3)
        record = next((one for one in history if one.status != AssetCheckExecutionRecordStatus.PLANNED), None)
        if record is None or record.event is None or record.status != AssetCheckExecutionRecordStatus.FAILED:
            continue
        evaluation = record.event.get_dagster_event().asset_check_evaluation_data
        at = min(datetime.fromtimestamp(record.create_timestamp, timezone.utc), now)
        observation = failed_check(key, evaluation.severity, evaluation.description, record.run_id, at)
        run = instance.get_run_by_id(record.run_id)
        if key.name == "cycle_time" and run and was_told(run, observation.severity):
            continue
        if observation.incident in open_ or run is None or not _run_says_it(instance, run, now - at):
            yield observation


def _run_says_it(instance: dg.DagsterInstance, run: dg.DagsterRun, since: timedelta) -> bool:
    """Has the run of a failed check failed as well, and not because of a check? One that still runs may in a moment:
    a step evaluates its checks, and then fails.
    """
    if run.status in UNFINISHED:
        return since < _RUNS_END_WITHIN
    return run.status == dg.DagsterRunStatus.FAILURE and not _failed_by_a_check(instance, run.run_id)


def failed_check(
    key: dg.AssetCheckKey, severity: dg.AssetCheckSeverity, description: str | None, run_id: str, at: datetime
) -> Observation:
    """A check that failed `at` that time."""
    what, _, cause = (description or "failed").partition(". Likely cause: ")
    return Observation(
        incident=f"{key.asset_key.to_user_string()}:{key.name}",
        severity="critical" if severity == dg.AssetCheckSeverity.ERROR else "warning",
        what=what,
        since=at,
        cause=cause or None,
        run_id=run_id,
    )


def failed_runs(
    instance: dg.DagsterInstance, since: datetime, open_: Incidents, now: datetime
) -> Iterator[Observation]:
    """Runs that failed after `since`; of a job that was spoken of before, its latest run if that failed.

    A run that Dagster is about to start again is left to the one that follows, and one that a blocking check failed to
    `failed_checks`, which knows the numbers.
    """
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    records = {record.dagster_run.job_name: record for record in instance.get_run_records(filters, ascending=True)}
    for job in (incident.partition(" ")[2] for incident in open_):
        records.pop(job, None)
        latest = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_CONCLUSIVE), limit=1)
        if latest and latest[0].dagster_run.status == dg.DagsterRunStatus.FAILURE:
            records[job] = latest[0]
    for job, record in records.items():
        run = record.dagster_run
        if was_ended(run) or run.tags.get(WILL_RETRY_TAG) == "true" or _failed_by_a_check(instance, run.run_id):
            continue
        ended_at = datetime.fromtimestamp(record.end_time, timezone.utc) if record.end_time else now
        yield failed_run(job, run.run_id, _why_failed(instance, run.run_id), min(ended_at, now))


def failed_run(job: str, run_id: str, cause: str | None, at: datetime) -> Observation:
    """A run that failed `at` that time."""
    return Observation(
        incident=f"job {job}",
        severity="critical",
        what=f"run {run_id[:8]} of {job} failed",
        since=at,
        cause=cause,
        run_id=run_id,
    )


def troubled_channels(troubles: Mapping[str, str], wrong: Mapping[str, str], now: datetime) -> Iterator[Observation]:
    """Channels that do not take alerts, for those that do."""
    for name, why in troubles.items():
        what = f"alerts do not reach channel {name} of LCW_ALERT_URLS"
        yield Observation(incident=f"channel {name}", severity="warning", what=what, since=now, cause=why)
    for number, why in wrong.items():
        what = f"address {number} of LCW_ALERT_URLS is not used: {why}"
        yield Observation(incident=f"channel {number}", severity="warning", what=what, since=now)


def _failed_by_a_check(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Did a step do all that it had to, and then fail because a check of it blocks?"""
    steps = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    errors = [_innermost_error(entry.get_dagster_event()) for entry in steps]
    return bool(errors) and all(error and error.cls_name == "DagsterAssetCheckFailedError" for error in errors)


def _innermost_error(event: dg.DagsterEvent) -> "SerializableErrorInfo | None":
    error: SerializableErrorInfo | None = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return error


def _why_failed(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The first line of the innermost error, of the step that failed or else of the run."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.get_dagster_event()
        error = _innermost_error(event)
        if error is not None:
            first, *rest = str(error.message).strip().splitlines()
            said = (
                f"{first} {rest[0]}" if rest and first.endswith(":") else first
            )  # "1 blocking check failed:", and which
            return re.sub(r"^dagster\.[\w.]+: ", "", said)
        if event.message and event.event_type == dg.DagsterEventType.RUN_FAILURE:
            return event.message
    return None


def watching_since(last_look: datetime | None, since: datetime | None, now: datetime) -> datetime:
    """Since when somebody has been looking without a gap: silence before that was nobody's."""
    if last_look is None or since is None or now - last_look > timedelta(minutes=2):
        return now
    return min(since, now)
