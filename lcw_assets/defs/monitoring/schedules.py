"""Facts about schedules from Dagster's instance: those that have stopped, and ticks without a run."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg

from lcw_assets.alerts.incidents import Observation
from lcw_assets.defs.monitoring.codes import Cause, Code
from lcw_assets.defs.monitoring.failed_runs import innermost
from lcw_assets.defs.monitoring.idle import Schedule, Tick
from lcw_assets.defs.monitoring.sla import Sla
from lcw_assets.ingest.load import load_moment
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.dagster_private import InstigatorType, TickStatus
from lcw_assets.orchestration.guard import StillRunning

# The schedule that the report is about.
CYCLES = "fetch_cycle_every_minute"

_NOTHING_STARTED = [TickStatus.SKIPPED, TickStatus.FAILURE]


def every_minute(repository: dg.RepositoryDefinition | None) -> set[str]:
    """The schedules that are due each minute, by name."""
    schedules = repository.schedule_defs if repository else ()
    return {schedule.name for schedule in schedules if schedule.cron_schedule == "* * * * *"}


def watching_since(evaluated_at: datetime | None, since: datetime | None, now: datetime) -> datetime:
    """Since when a sensor has been evaluated without a gap. In a gap no daemon ran, so that nothing ticked."""
    if evaluated_at is None or since is None or now - evaluated_at > timedelta(minutes=2):
        return now
    return min(since, now)


def silent_schedules(
    instance: dg.DagsterInstance,
    names: Collection[str],
    watching_since: datetime,
    sla: Sla,
    now: datetime,
    location: str | None = None,
) -> Iterator[Observation]:
    """Schedules of these `names` that are on and have not ticked for too long, although the daemon ran.

    `location` is the code location to watch: a schedule of the same name may once have been on in another.
    """
    silent: dict[str, datetime] = {}
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name not in names or not state.is_running:
            continue
        if location and state.origin.repository_origin.code_location_origin.location_name != location:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        ticked_at = datetime.fromtimestamp(ticks[0].timestamp, timezone.utc) if ticks else watching_since
        switched_on = getattr(state.instigator_data, "start_timestamp", None) or 0.0
        since = max(ticked_at, watching_since, datetime.fromtimestamp(switched_on, timezone.utc))
        if (now - since).total_seconds() > sla.watch.silent_after_s:
            silent[state.instigator_name] = since
    if silent:
        since = min(silent.values())
        yield Observation(
            incident="schedule",
            severity="critical",
            what=f"not ticked since {since:%H:%M:%S} UTC: {', '.join(sorted(silent))}",
            since=since,
            cause=str(Cause(Code.scheduler_stopped)),
        )


def read_schedule(instance: dg.DagsterInstance, spool: Spool, start: datetime, now: datetime) -> Schedule:
    """As of `now`, with the ticks from `start` on. A minute counts once, in whatever code location it ticked."""
    spooled = [began_at for path in spool.files() if (began_at := load_moment(path.stem))]
    if instance.schedule_storage is None:  # an instance that never had a schedule
        return Schedule(now, ticks_since=now, spooled=spooled)
    ticks: dict[datetime, Tick] = {}
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name != CYCLES:
            continue
        for tick in instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=start.timestamp() - 1, statuses=_NOTHING_STARTED
        ):
            due_at = datetime.fromtimestamp(tick.timestamp, timezone.utc)
            skipped = tick.status == TickStatus.SKIPPED
            ticks[due_at] = Tick(due_at, skipped, _why_skipped(tick.skip_reason) if skipped else _error(tick.error))
    days = instance.get_tick_retention_settings(InstigatorType.SCHEDULE).get(TickStatus.SKIPPED, -1)
    return Schedule(
        now=now,
        ticks=list(ticks.values()),
        ticks_since=now - timedelta(days=days) if days > 0 else None,
        spooled=spooled,
    )


def _why_skipped(reason: str | None) -> str:
    """Without the run and the moment, so that ticks of the same reason count as the same."""
    running = StillRunning.read(reason or "")
    return f"a run of {running.job} was {running.status}" if running else reason or "no reason given"


def _error(error: object) -> str:
    """The first line of the innermost error."""
    text = str(getattr(innermost(error), "message", "")).strip()
    return text.splitlines()[0] if text else "no reason given"
