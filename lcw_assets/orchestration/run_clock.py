"""A run's clock, load and settings, for the steps that keep facts about themselves."""

from datetime import datetime, timezone
from functools import cache

import dagster as dg

from lcw_assets.coordination.files import GroupError, prepare
from lcw_assets.ingest.load import Load, load_id
from lcw_assets.ingest.run_clock import CycleClock, read_clock
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG, TagError, scheduled_at
from lcw_assets.settings import Settings, SettingsError, load_settings
from lcw_assets.settings.environment import hidden_by_dotenv
from lcw_assets.sources.spec import Source


def run_clock(context: dg.AssetExecutionContext) -> CycleClock:
    """Where the time of this run counts from. A tag that says no tick fails the run in one line."""
    import psutil

    record = context.instance.get_run_record_by_id(context.run.run_id)
    now = datetime.now(timezone.utc)
    try:
        tick = scheduled_at(context.run, now)
    except TagError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    if tick is None and context.run.tags.get(SCHEDULED_AT_TAG):
        context.log.warning(f"the tick of {SCHEDULED_AT_TAG} is ahead of this machine's clock: it is left out")
    return read_clock(
        scheduled_at=tick,
        run_created_at=record.create_timestamp if record else now,
        process_started_at=datetime.fromtimestamp(psutil.Process().create_time(), timezone.utc),
        now=now,
    )


def run_load(
    context: dg.AssetExecutionContext, clock: CycleClock, kind: str, *, source: str, currency: str = ""
) -> Load:
    """This run's load. A step that is tried again has another id."""
    again = f"-{context.retry_number}" if context.retry_number else ""
    return Load(
        load_id=load_id(clock.started_at, context.run.run_id) + again,
        kind=kind,
        run_id=context.run.run_id,
        scheduled_at=clock.scheduled_at,
        clock_started_at=clock.started_at,
        started_at=clock.now,
        queue_s=clock.queue_s,
        start_s=clock.start_s,
        late_tick=clock.late_tick,
        source=source,
        currency=currency,
    )


def run_settings(context: dg.AssetExecutionContext, source: Source | None = None) -> Settings:
    """The settings, and the data folder as they want it. One that is out of range fails the run in one line, and so
    does a `source` that is off.
    """
    _warn_of_hidden()
    try:
        settings = load_settings()
        if source and (off := settings.of(source).off):
            raise dg.Failure(off, allow_retries=False)
        prepare(settings.data_dir, settings.read_group, context.log.warning)
    except (SettingsError, GroupError) as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    return settings


@cache
def _warn_of_hidden() -> None:
    """Once a process: each step of a run reads the settings."""
    for line in hidden_by_dotenv():
        dg.get_dagster_logger().warning(line)
