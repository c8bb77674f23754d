"""Three sensors that watch, each with its open incidents in its cursor. All tell through `lcw_assets/alerts`."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Annotated

import dagster as dg
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from lcw_assets.alerts.incidents import Incident, Observation, Pace, advance
from lcw_assets.coordination.files import GroupError, prepare
from lcw_assets.defs.monitoring import looks
from lcw_assets.defs.monitoring.checks import read_sla
from lcw_assets.defs.monitoring.running import running_cycles
from lcw_assets.defs.monitoring.sla import Sla, load_sla
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.guard import skip_while_misconfigured
from lcw_assets.settings import DataSettings
from lcw_assets.sources.lcw.spec import SOURCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.alerts.channels import Channel
    from lcw_assets.alerts.outbox import Outbox


class _State(BaseModel):
    """A sensor's cursor. `looked_at` is its latest look; the rest is for the sensors that need it."""

    incidents: dict[str, Incident] = {}
    looked_at: Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=timezone.utc))] | None = None
    watching_since: AwareDatetime | None = None
    spooled: int = 0


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Cycles that still run after 30 s (warning) or 60 s (critical), and those that must be ended; a worker "
    "that died, a minute's schedule that has stopped ticking, spooled work that grows, a channel that takes no alerts.",
)
@skip_while_misconfigured
def watch_cycles(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Looks while a cycle runs: what it waits for is in its spool."""
    state, now, settings = _state(context), datetime.now(timezone.utc), DataSettings()
    sla = _sla()
    spool = Spool(settings.of(SOURCE).spool_dir)
    channels, wrong = _channels(settings)
    since = looks.watching_since(state.looked_at, state.watching_since, now)
    spools = [Spool(folder) for folder in settings.spool_folders()]
    depth, spooled = looks.growing_spool(spools, state.spooled, sla, now)
    running = list(running_cycles(context.instance, spool, sla, now))
    origin = context.code_location_origin
    seen = [
        *(one.observation for one in running),
        *looks.silent_schedules(context.instance, since, sla, now, origin.location_name if origin else None),
        *spooled,
        *looks.troubled_channels(_outbox(settings).troubles(context.log.warning), wrong, now),
    ]
    state = state.model_copy(update={"watching_since": since, "spooled": depth})
    return _tell(context, state, seen, channels, now, settings, sla, [one.act for one in running])


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asset checks whose latest evaluation failed. Those of a run that failed for another reason are left "
    "to watch_runs: it says why.",
)
@skip_while_misconfigured
def watch_checks(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    state, now, settings = _state(context), datetime.now(timezone.utc), DataSettings()
    keys = list(context.repository_def.asset_graph.asset_check_keys) if context.repository_def else []
    seen = list(looks.failed_checks(context.instance, keys, state.incidents, now))
    return _tell(context, state, seen, _channels(settings)[0], now, settings, _sla())


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs that failed, of any job, until a later run of that job succeeds. Those that a blocking check "
    "failed are left to watch_checks: it has the numbers.",
)
@skip_while_misconfigured
def watch_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Dagster's own run-failure sensor keeps no cursor of ours, so it could not tell when a job works again."""
    state, now, settings = _state(context), datetime.now(timezone.utc), DataSettings()
    # Overlapping looks: a run is written to the storage a moment after its time. Seen twice is one incident.
    since = (state.looked_at or now) - timedelta(seconds=30)
    seen = list(looks.failed_runs(context.instance, since, state.incidents, now))
    return _tell(context, state, seen, _channels(settings)[0], now, settings, _sla())


def _tell(
    context: dg.SensorEvaluationContext,
    state: _State,
    seen: Sequence[Observation],
    channels: "Sequence[Channel]",
    now: datetime,
    settings: DataSettings,
    sla: Sla,
    acts: Sequence[Callable[[], None]] = (),
) -> dg.SkipReason:
    """Alert of what is new, act, deliver what waits, and remember.

    Alerts are safe before anything is done about what they say. The cursor comes last: better told twice than never.
    """
    from lcw_assets.alerts.channels import body, title

    incidents, alerts = advance(state.incidents, seen, now, Pace(**sla.alerts.model_dump()))
    for alert in alerts:
        say = context.log.info if alert.kind == "recovered" else context.log.warning
        say("; ".join([title(alert), *body(alert, None).splitlines()]))  # one line in the terminal of `make dev`
    with suppress(GroupError):  # cycles say so
        prepare(settings.data_dir, settings.read_group, context.log.warning)
    outbox = _outbox(settings)
    outbox.put(alerts, context.log.warning)
    for act in acts:
        act()
    outbox.flush(channels, partial(_connect, settings), now, context.log.warning)
    state = state.model_copy(update={"incidents": incidents, "looked_at": now})
    context.update_cursor(state.model_dump_json())
    if not incidents:
        return dg.SkipReason("nothing is wrong")
    return dg.SkipReason("open: " + ", ".join(f"{name} since {one.since:%H:%M:%S}" for name, one in incidents.items()))


def _state(context: dg.SensorEvaluationContext) -> _State:
    try:
        return _State.model_validate_json(context.cursor) if context.cursor else _State()
    except ValidationError:
        context.log.warning("the cursor is not one that this version wrote: open incidents are told of again")
        return _State()


def _sla() -> Sla:
    """A file that is no SLA fails the checks, which tell of it. Watching goes on with the one that comes along."""
    sla = read_sla()
    return sla if isinstance(sla, Sla) else load_sla()


def _channels(settings: DataSettings) -> "tuple[list[Channel], dict[str, str]]":
    from lcw_assets.alerts.channels import read_channels

    return read_channels(settings.alert_urls.get_secret_value() if settings.alert_urls else None)


def _outbox(settings: DataSettings) -> "Outbox":
    from lcw_assets.alerts.outbox import Outbox

    return Outbox(settings.alerts_dir, lambda run_id: f"{settings.ui_url.rstrip('/')}/runs/{run_id}")


def _connect(settings: DataSettings) -> "AbstractContextManager[DuckDBPyConnection]":
    """Only when there is an alert to store, and then in no hurry: cycles come first."""
    from lcw_assets.warehouse.connection import open_database

    return open_database(settings.database, lock_wait_s=0.5)
