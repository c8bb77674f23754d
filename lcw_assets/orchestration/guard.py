"""The guard of a schedule: never two runs of one job at once."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import wraps

import dagster as dg

from lcw_assets import escape
from lcw_assets.orchestration.dagster_private import MAX_RUNTIME_SECONDS_TAG
from lcw_assets.settings import DataSettings, SettingsError
from lcw_assets.sources.spec import Group, Source

SCHEDULED_AT_TAG = "lcw/scheduled_at"

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


# A tick that is further ahead is ignored: a cycle would fetch until then, and sort after all later ones. It is of a
# clock that was set back since, or of a person.
_AHEAD = timedelta(minutes=1)


class TagError(ValueError):
    """A tag that a person wrote and that cannot be read. Names it, its value, and what it should be."""


def scheduled_at(run: dg.DagsterRun, now: datetime) -> datetime | None:
    """The tick that a run is of; null for one that a person started, and for a tick that is ahead of `now`.

    Raises `TagError`.
    """
    said = run.tags.get(SCHEDULED_AT_TAG)
    if not said:
        return None
    with suppress(ValueError, OverflowError):  # the latter for the first day of the year 1, east of Greenwich
        tick = datetime.fromisoformat(said)
        if tick.tzinfo:
            tick = tick.astimezone(timezone.utc)
            return tick if tick <= now + _AHEAD else None
    raise TagError(
        f"the tag {SCHEDULED_AT_TAG}={escape.line(said, 60)} is no moment with a zone, such as "
        "2026-11-20T12:00:00+00:00: leave it out for a run that you start yourself"
    )


def max_runtime_s(run: dg.DagsterRun | None) -> float:
    """Seconds that a run may take. Infinite if its tag cannot be read: Dagster reports that."""
    try:
        seconds = float(run.tags.get(MAX_RUNTIME_SECONDS_TAG, "inf")) if run else math.inf
    except ValueError:
        return math.inf
    return math.inf if math.isnan(seconds) else seconds


@dataclass(frozen=True)
class StillRunning:
    """Why a tick started no run. Dagster stores only its text with the tick."""

    run_id: str
    job: str
    status: str
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id} of {self.job} is {self.status} since {self.since} UTC"

    @classmethod
    def read(cls, text: str) -> "StillRunning | None":
        """What was written by `str()`, and null for any other text."""
        words = text.split(" ")
        found = cls(*words[1:8:2]) if len(words) == 9 else None
        return found if str(found) == text else None


def run_unless_running(
    context: dg.ScheduleEvaluationContext, job_name: str, source: Source | Group | None = None
) -> dg.RunRequest | dg.SkipReason:
    """Skip while a run goes on, and while its source is off. If the run's process is dead, `dagster/max_runtime`
    ends the run, and so the skipping.
    """
    if source and (off := why_off(source)):
        return dg.SkipReason(off)
    running = context.instance.get_run_records(dg.RunsFilter(job_name=job_name, statuses=UNFINISHED), limit=1)
    if running:
        run, since = running[0].dagster_run, f"{running[0].create_timestamp:%H:%M:%S}"
        return dg.SkipReason(str(StillRunning(run.run_id, job_name, run.status.value, since)))
    return dg.RunRequest(tags={SCHEDULED_AT_TAG: context.scheduled_execution_time.isoformat()})


def why_off(source: Source | Group) -> str | None:
    """Why the source is off; null if it is on. With a wrong setting it counts as on: its run reports the setting."""
    with suppress(SettingsError):
        return DataSettings().of(source).off
    return None


def skip_while_misconfigured(
    tick: Callable[[dg.SensorEvaluationContext], dg.SkipReason],
) -> Callable[[dg.SensorEvaluationContext], dg.SkipReason]:
    """A sensor's function that says in one line which setting is wrong."""

    @wraps(tick)
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            return tick(context)
        except SettingsError as error:
            return dg.SkipReason(str(error))

    return evaluate
