"""A run's clock and name, for the steps that keep facts about themselves."""

from datetime import datetime, timezone
from functools import cache

import dagster as dg

from lcw_assets.cycle.clock import CycleClock, read_clock
from lcw_assets.defs.guard import SCHEDULED_AT_TAG
from lcw_assets.environment import hidden_by_dotenv
from lcw_assets.settings import Settings, SettingsError, load_settings


def run_clock(context: dg.AssetExecutionContext) -> CycleClock:
    """Where the time of this run counts from."""
    import psutil

    record = context.instance.get_run_record_by_id(context.run.run_id)
    scheduled_at = context.run.tags.get(SCHEDULED_AT_TAG)
    now = datetime.now(timezone.utc)
    return read_clock(
        scheduled_at=datetime.fromisoformat(scheduled_at) if scheduled_at else None,
        run_created_at=record.create_timestamp if record else now,
        process_started_at=datetime.fromtimestamp(psutil.Process().create_time(), timezone.utc),
        now=now,
    )


def run_name(context: dg.AssetExecutionContext, clock: CycleClock) -> str:
    """`20261120T080100.000Z-1a2b3c4d`: sorts by time, names the run. A step that is tried again has another name."""
    again = f"-{context.retry_number}" if context.retry_number else ""
    return (
        f"{clock.started_at:%Y%m%dT%H%M%S}.{clock.started_at.microsecond // 1000:03}Z-{context.run.run_id[:8]}{again}"
    )


def run_settings() -> Settings:
    """The settings; one that is out of range fails the run in one line."""
    _warn_of_hidden()
    try:
        return load_settings()
    except SettingsError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


@cache
def _warn_of_hidden() -> None:
    """Once a process: each step of a run reads the settings."""
    for line in hidden_by_dotenv():
        dg.get_dagster_logger().warning(line)
