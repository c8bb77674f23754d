"""Two sensors that start backfills: where credits ended one, on the next day; and for gaps, a little every day."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg

from lcw_assets.defs.guard import UNFINISHED
from lcw_assets.defs.history.assets import STOPPED_TAG
from lcw_assets.defs.history.jobs import HISTORY_TAG, backfills, job_name
from lcw_assets.history.series import DAY, SERIES
from lcw_assets.settings import Settings, SettingsError, load_settings

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"
_FOR_TAG, _CREDITS_TAG, _GAP_TAG = "lcw/for", "lcw/credits", "lcw/gap"

# What was stopped longer ago than this, nobody waits for.
_RESUME_WITHIN = timedelta(days=14)


@dg.sensor(
    jobs=backfills,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After 00:00 UTC, goes on with backfills that stopped because the day's credits were low.",
)
def resume_backfills(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    none = True
    for request in resumed(context.instance, datetime.now(timezone.utc)):
        none = False
        yield request
    if none:
        yield dg.SkipReason("no backfill waits for credits")


def resumed(instance: dg.DagsterInstance, now: datetime) -> Iterator[dg.RunRequest]:
    """A run key a stopped run: each is gone on with once, and what stops again is another run."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    stopped = instance.get_run_records(
        dg.RunsFilter(tags={STOPPED_TAG: "credits"}, updated_after=now - _RESUME_WITHIN, updated_before=midnight)
    )
    for record in stopped:
        run = record.dagster_run
        days = {tag: run.tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG, PARTITION_TAG) if tag in run.tags}
        series = next(iter(run.asset_selection or [dg.AssetKey(run.tags[HISTORY_TAG])])).path[-1]
        yield dg.RunRequest(
            run_key=f"resume-{run.run_id}",
            job_name=job_name(series),
            run_config={**run.run_config, "loggers": {"console": {}}},
            tags={**days, HISTORY_TAG: series},
        )


@dg.sensor(
    jobs=backfills,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Backfills gaps that can still be filled, the newest first, for LCW_GAP_CREDITS a day.",
)
def fill_gaps(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    try:
        return filled(context.instance, load_settings(), datetime.now(timezone.utc))
    except SettingsError as error:
        return dg.SkipReason(str(error))


def filled(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """One backfill at a time. What is spent is added up from today's runs of its own, by what they were to cost."""
    from lcw_assets.warehouse.errors import WarehouseError

    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for series in SERIES:
        if instance.get_run_records(dg.RunsFilter(job_name=job_name(series), statuses=UNFINISHED), limit=1):
            return dg.SkipReason(f"{job_name(series)} is running")
    today = instance.get_runs(dg.RunsFilter(tags={_FOR_TAG: "gaps"}, created_after=midnight))
    left = settings.gap_credits - sum(int(run.tags[_CREDITS_TAG]) for run in today)
    keys = {run.tags[_GAP_TAG] for run in today}
    try:
        for series, first, last, calls in _fillable(settings, midnight, left):
            key = f"{series} {first:%Y-%m-%d} {last:%Y-%m-%d}"
            if key not in keys:  # what could not be filled today is tried again tomorrow
                return _request(series, first, last, calls, key, midnight)
    except WarehouseError as error:
        return dg.SkipReason(str(error))
    return dg.SkipReason(f"no gap that {left:,} credits of LCW_GAP_CREDITS={settings.gap_credits} can fill")


def _fillable(settings: Settings, midnight: datetime, left: int) -> Iterator[tuple[str, datetime, datetime, int]]:
    """Series, first and last day, and calls: of each gap as many of its newest days as what is left pays for."""
    from lcw_assets.warehouse.connection import open_database

    with open_database(settings.database, read_only=True, lock_wait_s=0.5) as db:
        rows = db.execute(
            "SELECT CASE kind WHEN 'minutes' THEN 'coin_5min' ELSE subject[9:] END, gap_start, gap_end, calls "
            "FROM ops.gaps WHERE calls > 0 ORDER BY gap_end DESC, subject"
        ).fetchall()
    for series, start, end, calls in rows:
        first = start.replace(hour=0, minute=0, second=0, microsecond=0)
        last = min(end - timedelta(microseconds=1), midnight - DAY).replace(hour=0, minute=0, second=0, microsecond=0)
        days = (last - first) // DAY + 1
        affordable = min(days, days * left // calls)
        if affordable > 0:
            yield series, last - (affordable - 1) * DAY, last, -(-calls * affordable // days)


def _request(series: str, first: datetime, last: datetime, calls: int, key: str, midnight: datetime) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{key}, on {midnight:%Y-%m-%d}",
        job_name=job_name(series),
        run_config={"loggers": {"console": {}}},
        tags={
            RANGE_START_TAG: f"{first:%Y-%m-%d}",
            RANGE_END_TAG: f"{last:%Y-%m-%d}",
            HISTORY_TAG: series,
            _FOR_TAG: "gaps",
            _CREDITS_TAG: str(calls),
            _GAP_TAG: key,
        },
    )
