"""What the sensors look at, and what they call wrong."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.scheduler.instigation import InstigatorType
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG, WILL_RETRY_TAG

from lcw_assets.alerts.incidents import Incidents, Observation, Severity
from lcw_assets.cycle.clock import read_clock
from lcw_assets.defs.market.jobs import SCHEDULED_AT_TAG, fetch_cycle
from lcw_assets.defs.market.schedules import UNFINISHED, fetch_cycle_every_minute
from lcw_assets.performance.sla import Sla
from lcw_assets.warehouse.spool import Spool

# On runs that `watch_cycles` has spoken of, so that the other sensors do not speak of them as well; also good for
# finding them in the UI. Its value ends with the run's id: a run that is started again inherits its tags.
SLOW_TAG = "lcw/slow"

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def running_cycles(instance: dg.DagsterInstance, spool: Spool, sla: Sla, now: datetime) -> Iterator[Observation]:
    """Cycles that run for too long. One whose process is dead, or that is past its maximum runtime, is ended."""
    from lcw_assets.performance.live import explain_running

    filters = dg.RunsFilter(job_name=fetch_cycle.name, statuses=UNFINISHED)
    for record in instance.get_run_records(filters):
        run = record.dagster_run
        started_at = _started_at(record, now)
        age_s = (now - started_at).total_seconds()
        pid = _dead_process(instance, run)
        if pid is None and age_s <= sla.checks.cycle_warn_s:
            continue
        name = f"the cycle of run {run.run_id[:8]}"
        cause: str | None = explain_running(spool, run.run_id, now)
        severity: Severity = "critical"
        incident = "cycle_time"
        max_runtime_s = float(run.tags.get(MAX_RUNTIME_SECONDS_TAG, "inf"))
        runs_for_s = now.timestamp() - record.start_time if record.start_time else 0.0
        if pid is not None:
            incident, what = "cycle_died", f"{name} has no process any more ({pid}): it is marked as failed"
            instance.report_run_failed(run, f"its process ({pid}) is gone")
        elif runs_for_s > max_runtime_s:
            incident, what = "cycle_ended", f"{name} is ended after {runs_for_s:.0f} s: it may run {max_runtime_s:g} s"
            _end(instance, run, f"ran for {runs_for_s:.0f} s, and may for {max_runtime_s:g} s")
        else:
            over_s = sla.checks.cycle_error_s
            if age_s <= over_s:
                severity, over_s = "warning", sla.checks.cycle_warn_s
            what = f"{name} still runs after {age_s:.0f} s, over {over_s:g} s ({run.status.value})"
        if run.tags.get(SLOW_TAG) != f"{incident} {run.run_id[:8]}":
            instance.add_run_tags(run.run_id, {SLOW_TAG: f"{incident} {run.run_id[:8]}"})
        yield Observation(
            incident=incident,
            severity=severity,
            what=what,
            since=started_at,
            cause=cause,
            run_id=run.run_id,
        )


def silent_schedule(
    instance: dg.DagsterInstance, watching_since: datetime, sla: Sla, now: datetime
) -> Iterator[Observation]:
    """The schedule is on, and nothing of it has been heard for too long, though somebody was there to listen."""
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name != fetch_cycle_every_minute.name or not state.is_running:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        last = datetime.fromtimestamp(ticks[0].timestamp, timezone.utc) if ticks else watching_since
        heard_at = max(last, watching_since)
        if (now - heard_at).total_seconds() > sla.watch.silent_after_s:
            yield Observation(
                incident="schedule",
                severity="critical",
                what=f"the schedule {state.instigator_name} has not ticked since {heard_at:%H:%M:%S} UTC",
                since=heard_at,
                cause="the scheduler in dagster-daemon has stopped, or cannot load the code: see the daemon's log",
            )


def growing_spool(spool: Spool, before: int, sla: Sla, now: datetime) -> tuple[int, list[Observation]]:
    """How many cycles wait to be stored, and whether that is too many and no fewer than `before`."""
    waiting = spool.pending()
    depth = len(waiting)
    if depth < sla.watch.spooled_cycles or depth < before:
        return depth, []
    oldest = datetime.fromtimestamp(waiting[0].stat().st_mtime, timezone.utc)
    what = (
        f"{depth} cycles wait in {spool.folder} and are not stored: nothing is lost, and the tables are not up to date"
    )
    cause = "the database is open elsewhere or cannot be written: the latest cycle's log says which"
    return depth, [Observation(incident="spool", severity="warning", what=what, since=min(oldest, now), cause=cause)]


def failed_checks(
    instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey], open_: Incidents, now: datetime
) -> Iterator[Observation]:
    """Checks whose latest evaluation failed. While the next one is on its way, the latest that is known counts."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key, record in records.items():
        incident = f"{key.asset_key.to_user_string()}:{key.name}"
        if record.status == AssetCheckExecutionRecordStatus.PLANNED and incident in open_:
            yield open_[incident].latest
        if record.status != AssetCheckExecutionRecordStatus.FAILED or record.event is None:
            continue
        evaluation = record.event.get_dagster_event().asset_check_evaluation_data
        run = instance.get_run_by_id(record.run_id)
        if key.name == "cycle_time" and run and _spoken_of(run):
            continue
        what, _, cause = (evaluation.description or "failed").partition(". Likely cause: ")
        yield Observation(
            incident=incident,
            severity="critical" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning",
            what=what,
            since=min(datetime.fromtimestamp(record.create_timestamp, timezone.utc), now),
            cause=cause or None,
            run_id=record.run_id,
        )


def failed_runs(
    instance: dg.DagsterInstance, since: datetime, open_: Incidents, now: datetime
) -> Iterator[Observation]:
    """Runs that failed after `since`; of a job that was spoken of before, its latest run if that failed.

    A run that Dagster is about to start again is left to the one that follows.
    """
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    records = {record.dagster_run.job_name: record for record in instance.get_run_records(filters, ascending=True)}
    for job in (incident.partition(" ")[2] for incident in open_):
        records.pop(job, None)
        latest = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_FINISHED), limit=1)
        if latest and latest[0].dagster_run.status == dg.DagsterRunStatus.FAILURE:
            records[job] = latest[0]
    for job, record in records.items():
        run = record.dagster_run
        if _spoken_of(run) or run.tags.get(WILL_RETRY_TAG) == "true":
            continue
        ended_at = datetime.fromtimestamp(record.end_time, timezone.utc) if record.end_time else now
        yield Observation(
            incident=f"job {job}",
            severity="critical",
            what=f"run {run.run_id[:8]} of {job} failed",
            since=min(ended_at, now),
            cause=_why_failed(instance, run.run_id),
            run_id=run.run_id,
        )


def troubled_channels(troubles: Mapping[str, str], wrong: Mapping[str, str], now: datetime) -> Iterator[Observation]:
    """Channels that do not take alerts, for those that do."""
    for name, why in troubles.items():
        what = f"alerts do not reach channel {name} of LCW_ALERT_URLS"
        yield Observation(incident=f"channel {name}", severity="warning", what=what, since=now, cause=why)
    for number, why in wrong.items():
        what = f"address {number} of LCW_ALERT_URLS is not used: {why}"
        yield Observation(incident=f"channel {number}", severity="warning", what=what, since=now)


def _spoken_of(run: dg.DagsterRun) -> bool:
    return run.tags.get(SLOW_TAG, "").endswith(run.run_id[:8])


def _started_at(record: dg.RunRecord, now: datetime) -> datetime:
    """Where the cycle's time counts from: as in the cycle's own facts."""
    scheduled_at = record.dagster_run.tags.get(SCHEDULED_AT_TAG)
    clock = read_clock(
        scheduled_at=datetime.fromisoformat(scheduled_at) if scheduled_at else None,
        run_created_at=record.create_timestamp,
        process_started_at=now,
        now=now,
    )
    return clock.started_at


def _dead_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    """The id of the process that should run this and does not exist. Null if it does, or if nobody can tell from here.

    Dagster's default launcher has no such check: the run would count as running until its maximum runtime, and the
    schedule would skip so long. Its runs are processes of this machine; those of other launchers need not be.
    """
    import psutil

    if run.status != dg.DagsterRunStatus.STARTED or not isinstance(instance.run_launcher, DefaultRunLauncher):
        return None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        value = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if value is not None and str(value.value).isdigit():
            pid = int(str(value.value))
            try:
                process = psutil.Process(pid)
                dead = process.status() == psutil.STATUS_ZOMBIE or process.create_time() > entry.timestamp + 1
            except psutil.NoSuchProcess:
                dead = True
            # Asked again: it may have ended, and well, since the run was read.
            now = instance.get_run_by_id(run.run_id) if dead else None
            return pid if now and now.status == dg.DagsterRunStatus.STARTED else None
    return None


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    """End a run's process, or where it has none that can be reached, the run."""
    if run.status == dg.DagsterRunStatus.CANCELING:
        return  # Dagster's run monitoring does what is left
    if not instance.run_launcher.terminate(run.run_id):
        instance.report_run_failed(run, why)


def _why_failed(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The first line of the innermost error, of the step that failed or else of the run."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.get_dagster_event()
        error = getattr(event.event_specific_data, "error", None)
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            return str(error.message).strip().splitlines()[0].removeprefix("dagster._core.definitions.events.Failure: ")
        if event.message and event.event_type == dg.DagsterEventType.RUN_FAILURE:
            return event.message
    return None


def watching_since(last_look: datetime | None, since: datetime | None, now: datetime) -> datetime:
    """Since when somebody has been looking without a gap: silence before that was nobody's."""
    if last_look is None or since is None or now - last_look > timedelta(minutes=2):
        return now
    return min(since, now)
