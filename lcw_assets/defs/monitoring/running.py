"""Cycles that run right now: those that take too long, and those that must be ended."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import dagster as dg

from lcw_assets.alerts.incidents import Observation, Severity
from lcw_assets.defs.monitoring.live import explain_running
from lcw_assets.defs.monitoring.sla import Sla
from lcw_assets.ingest.run_clock import read_clock
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.dagster_private import DefaultRunLauncher
from lcw_assets.orchestration.guard import UNFINISHED, TagError, max_runtime_s, scheduled_at

# The job whose runs are cycles.
CYCLES = "fetch_cycle"

# On runs that `watch_cycles` has reported, so that the other sensors do not report the same; also good for finding them
# in the UI: the incident, how bad it is, and the run. A run that Dagster starts again inherits all tags, and has
# another id.
INCIDENT_TAG, SEVERITY_TAG, RUN_TAG = "lcw/slow", "lcw/slow_severity", "lcw/slow_run"


@dataclass(frozen=True)
class Finding:
    """What is wrong, and the action to take after the alert is safe."""

    observation: Observation
    act: Callable[[], None]


def running_cycles(instance: dg.DagsterInstance, spool: Spool, sla: Sla, now: datetime) -> Iterator[Finding]:
    """Cycles that run for too long. One whose process is dead, or that is past its maximum runtime, is to be ended."""
    filters = dg.RunsFilter(job_name=CYCLES, statuses=UNFINISHED)
    for record in instance.get_run_records(filters):
        run = record.dagster_run
        started_at = _started_at(record, now)
        age_s = (now - started_at).total_seconds()
        pid = _dead_process(instance, run)
        if pid is None and age_s <= sla.checks.cycle_warn_s:
            continue
        name = f"the cycle of run {run.run_id[:8]}"
        severity: Severity = "critical"
        incident, why = "cycle_time", ""
        runs_for_s = now.timestamp() - record.start_time if record.start_time else 0.0
        may_run_s = max_runtime_s(run)
        if pid is not None:
            incident, why = "cycle_died", f"its process ({pid}) is gone"
            what = f"{name} has no process any more ({pid}): it is marked as failed"
        elif runs_for_s > may_run_s:
            incident, why = "cycle_ended", f"it ran for {runs_for_s:.0f} s, and may for {may_run_s:g} s"
            what = f"{name} is ended after {runs_for_s:.0f} s: it may run {may_run_s:g} s"
        else:
            over_s = sla.checks.cycle_error_s
            if age_s <= over_s:
                severity, over_s = "warning", sla.checks.cycle_warn_s
            what = f"{name} still runs after {age_s:.0f} s, over {over_s:g} s ({run.status.value})"
        observation = Observation(
            incident=incident,
            severity=severity,
            what=what,
            since=started_at,
            cause=str(explain_running(spool, run.run_id, now)),
            run_id=run.run_id,
        )
        tags = {INCIDENT_TAG: incident, SEVERITY_TAG: severity, RUN_TAG: run.run_id}
        yield Finding(observation, partial(_act, instance, run, tags, why))


def _act(instance: dg.DagsterInstance, run: dg.DagsterRun, tags: Mapping[str, str], why: str) -> None:
    """Tag the run, and end it if there is a reason `why`."""
    if any(run.tags.get(name) != value for name, value in tags.items()):
        instance.add_run_tags(run.run_id, tags)
    if why and tags[INCIDENT_TAG] == "cycle_ended":
        _end(instance, run, why)
    elif why:
        instance.report_run_failed(run, why)


def is_reported(run: dg.DagsterRun, severity: Severity) -> bool:
    """Has `watch_cycles` reported that this run is slow, and that it is as bad as this?"""
    return run.tags.get(RUN_TAG) == run.run_id and run.tags.get(SEVERITY_TAG) in (severity, "critical")


def is_ended(run: dg.DagsterRun) -> bool:
    """Has `watch_cycles` ended it, and reported that? That a run was slow does not explain why it failed."""
    return run.tags.get(RUN_TAG) == run.run_id and run.tags.get(INCIDENT_TAG) in ("cycle_died", "cycle_ended")


def _started_at(record: dg.RunRecord, now: datetime) -> datetime:
    """Where the cycle's time counts from: as in the cycle's own facts."""
    try:
        tick = scheduled_at(record.dagster_run, now)
    except TagError:
        tick = None  # started by a person; the run reports what is wrong with the tag
    clock = read_clock(
        scheduled_at=tick,
        run_created_at=record.create_timestamp,
        process_started_at=now,
        now=now,
    )
    return clock.started_at


def _dead_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    """The id of the process that should run this and does not exist. Null if it does, or if that cannot be known here.

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
                # Not when it was created: that moves with the clock, and a healthy run must not be taken for dead.
                dead = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                dead = True
            except psutil.AccessDenied:
                dead = False  # another user's, so it exists
            # Read again: it may have succeeded since the run was read.
            again = instance.get_run_by_id(run.run_id) if dead else None
            return pid if again and again.status == dg.DagsterRunStatus.STARTED else None
    return None


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    """End a run's process; if it has none that can be reached, the run."""
    if run.status == dg.DagsterRunStatus.CANCELING:
        return  # Dagster's run monitoring does what is left
    try:
        ended = instance.run_launcher.terminate(run.run_id)
    except dg.DagsterError:  # such as that its code server is gone
        ended = False
    if not ended:
        instance.report_run_failed(run, why)
