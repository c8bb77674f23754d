"""Three sensors that watch, each with its open incidents in its cursor. All alert through `lcw_assets/alerts`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Annotated

import dagster as dg
from pydantic import AliasChoices, AwareDatetime, BaseModel, Field, ValidationError

from lcw_assets.alerts.incidents import Incident, Observation, Pace, advance
from lcw_assets.coordination.files import GroupError, prepare
from lcw_assets.defs.monitoring.checks import read_sla
from lcw_assets.defs.monitoring.failed_checks import failed_checks
from lcw_assets.defs.monitoring.failed_runs import failed_runs
from lcw_assets.defs.monitoring.running import running_cycles
from lcw_assets.defs.monitoring.schedules import every_minute, silent_schedules, watching_since
from lcw_assets.defs.monitoring.sla import Sla, load_sla
from lcw_assets.defs.monitoring.spools import growing_spool, watched_spools
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.guard import skip_while_misconfigured
from lcw_assets.settings import DataSettings
from lcw_assets.sources.lcw.spec import SOURCE

_Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=timezone.utc))]


class _State(BaseModel):
    """A sensor's cursor: when it was evaluated last (`looked_at` before 0.2), and what the next evaluation needs."""

    incidents: dict[str, Incident] = {}
    evaluated_at: _Moment | None = Field(None, validation_alias=AliasChoices("evaluated_at", "looked_at"))
    watching_since: AwareDatetime | None = None
    spooled: int = 0


class _Evaluation:
    """What an evaluation of a sensor begins with, and `alert`, with which it ends."""

    def __init__(self, context: dg.SensorEvaluationContext) -> None:
        from lcw_assets.alerts.channels import read_channels
        from lcw_assets.alerts.outbox import Outbox

        self.now, self.settings, self.log = datetime.now(timezone.utc), DataSettings(), context.log.warning
        self.context, self.state, sla = context, _state(context), read_sla()
        # A wrong SLA file fails the checks, which report it. Watching goes on with the default SLA.
        self.sla = sla if isinstance(sla, Sla) else load_sla()
        urls, runs = self.settings.alert_urls, f"{self.settings.ui_url.rstrip('/')}/runs/"
        self.channels, self.wrong = read_channels(urls.get_secret_value() if urls else None)
        self.outbox = Outbox(self.settings.alerts_dir, lambda run_id: runs + run_id)

    def alert(self, seen: Sequence[Observation], acts: Sequence[Callable[[], None]] = ()) -> dg.SkipReason:
        """Alert of what is new, act, deliver what waits, and save the cursor.

        Alerts are safe before anything is done about what they report. The cursor comes last: an alert that is sent
        twice is better than one that is never sent.
        """
        from lcw_assets.alerts.channels import body, title
        from lcw_assets.warehouse.connection import open_database

        state, settings = self.state, self.settings
        state.incidents, alerts = advance(state.incidents, seen, self.now, Pace(**self.sla.alerts.model_dump()))
        for alert in alerts:
            log = self.context.log.info if alert.kind == "recovered" else self.log
            log("; ".join([title(alert), *body(alert, None).splitlines()]))  # one line in the terminal of `make dev`
        with suppress(GroupError):  # cycles report that
            prepare(settings.data_dir, settings.read_group, self.log)
        self.outbox.put(alerts, self.log)
        for act in acts:
            act()
        # Opened only when there is an alert to store, with a short wait: cycles come first.
        self.outbox.flush(self.channels, partial(open_database, settings.database, lock_wait_s=0.5), self.now, self.log)
        state.evaluated_at = self.now
        self.context.update_cursor(state.model_dump_json())
        open_ = ", ".join(f"{name} since {incident.since:%H:%M:%S}" for name, incident in state.incidents.items())
        return dg.SkipReason(f"open: {open_}" if open_ else "nothing is wrong")


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Cycles that still run after 30 s (warning) or 60 s (critical), and those that must be ended; a worker "
    "that died, a minute's schedule that has stopped ticking, spooled work that grows, a channel that takes no alerts.",
)
@skip_while_misconfigured
def watch_cycles(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Evaluated while a cycle runs: what it waits for is in its spool."""
    own = _Evaluation(context)
    state, now, settings, sla = own.state, own.now, own.settings, own.sla
    state.watching_since = watching_since(state.evaluated_at, state.watching_since, now)
    state.spooled, spooled = growing_spool(watched_spools(settings), state.spooled, sla, now)
    running = list(running_cycles(context.instance, Spool(settings.of(SOURCE).spool_dir), sla, now))
    names, origin = every_minute(context.repository_def), context.code_location_origin
    location = origin.location_name if origin else None
    seen = [
        *(finding.observation for finding in running),
        *silent_schedules(context.instance, names, state.watching_since, sla, now, location),
        *spooled,
        *_failing_channels(own.outbox.failing_channels(own.log), own.wrong, now),
    ]
    return own.alert(seen, [finding.act for finding in running])


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asset checks whose latest evaluation failed. Those of a run that failed for another reason are left "
    "to watch_runs: it has the reason.",
)
@skip_while_misconfigured
def watch_checks(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    own = _Evaluation(context)
    keys = list(context.repository_def.asset_graph.asset_check_keys) if context.repository_def else []
    return own.alert(list(failed_checks(context.instance, keys, own.state.incidents, own.now)))


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs that failed, of any job, until a later run of that job succeeds. Those that a blocking check "
    "failed are left to watch_checks: it has the numbers.",
)
@skip_while_misconfigured
def watch_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Dagster's own run-failure sensor has no cursor for us, so it could not see when a job works again."""
    own = _Evaluation(context)
    # Evaluations overlap: a run is written to the storage a moment after its time. Seen twice is one incident.
    since = (own.state.evaluated_at or own.now) - timedelta(seconds=30)
    return own.alert(list(failed_runs(context.instance, since, own.state.incidents, own.now)))


def _failing_channels(failing: Mapping[str, str], wrong: Mapping[str, str], now: datetime) -> list[Observation]:
    """Alerts about broken channels, sent to the working ones."""
    found = [(name, f"alerts do not reach channel {name} of LCW_ALERT_URLS", why) for name, why in failing.items()]
    found += [(name, f"address {name} of LCW_ALERT_URLS is not used: {why}", "") for name, why in wrong.items()]
    return [
        Observation(incident=f"channel {name}", severity="warning", what=what, since=now, cause=cause or None)
        for name, what, cause in found
    ]


def _state(context: dg.SensorEvaluationContext) -> _State:
    try:
        return _State.model_validate_json(context.cursor) if context.cursor else _State()
    except ValidationError:
        context.log.warning("the cursor is not one that this version wrote: open incidents are alerted again")
        return _State()
