"""What Dagster knows of the minute schedule that no table does: ticks that started no cycle."""

from datetime import datetime, timedelta, timezone

import dagster as dg

from lcw_assets.defs.monitoring.idle import Schedule, Tick
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.dagster_private import InstigatorType, TickStatus
from lcw_assets.orchestration.guard import kind_of_skip

_NOTHING_STARTED = [TickStatus.SKIPPED, TickStatus.FAILURE]


def read_schedule(instance: dg.DagsterInstance, spool: Spool, start: datetime, now: datetime) -> Schedule:
    """As of `now`, with the ticks from `start` on. A minute counts once, in whatever code location it ticked."""
    spooled = [began_at for path in spool.files() if (began_at := _began_at(path.stem))]
    if instance.schedule_storage is None:  # an instance that never had a schedule
        return Schedule(now, ticks_since=now, spooled=spooled)
    ticks: dict[datetime, Tick] = {}
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE):
        if state.instigator_name != "fetch_cycle_every_minute":
            continue
        for tick in instance.get_ticks(
            state.instigator_origin_id, state.selector_id, after=start.timestamp() - 1, statuses=_NOTHING_STARTED
        ):
            due_at = datetime.fromtimestamp(tick.timestamp, timezone.utc)
            skipped = tick.status == TickStatus.SKIPPED
            ticks[due_at] = Tick(due_at, skipped, kind_of_skip(tick.skip_reason) if skipped else _error(tick.error))
    days = instance.get_tick_retention_settings(InstigatorType.SCHEDULE).get(TickStatus.SKIPPED, -1)
    return Schedule(
        now=now,
        ticks=list(ticks.values()),
        ticks_since=now - timedelta(days=days) if days > 0 else None,
        spooled=spooled,
    )


def _error(error: object) -> str:
    """The first line of the innermost error."""
    while getattr(error, "cause", None) is not None:
        error = error.cause  # type: ignore[attr-defined]
    text = str(getattr(error, "message", "")).strip()
    return text.splitlines()[0] if text else "no reason given"


def _began_at(cycle_id: str) -> datetime | None:
    """A cycle's name begins with where its time counts from."""
    try:
        return datetime.strptime(cycle_id[:19], "%Y%m%dT%H%M%S.%f").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
