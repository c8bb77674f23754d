"""Two sensors that start backfills: where credits ended one, on the next day; and for gaps, a little every day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets.defs.history.assets import stopped_tag
from lcw_assets.defs.history.config import SCHEMA
from lcw_assets.defs.history.jobs import HISTORY_TAG, backfills, job_name
from lcw_assets.defs.history.planning import make_plan
from lcw_assets.defs.history.series import FINAL_AFTER, SERIES
from lcw_assets.ingest.clock import DAY, midnight_of
from lcw_assets.orchestration.guard import UNFINISHED, why_off
from lcw_assets.settings import Settings, SettingsError, load_settings
from lcw_assets.sources.lcw.spec import SOURCE

if TYPE_CHECKING:
    from lcw_assets.defs.history.plan import Plan

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
PARTITION_TAG = "dagster/partition"
_FOR_TAG, _CREDITS_TAG, _GAP_TAG = "lcw/for", "lcw/credits", "lcw/gap"
_KEPT_TAGS = (RANGE_START_TAG, RANGE_END_TAG, PARTITION_TAG, _FOR_TAG, _CREDITS_TAG, _GAP_TAG)

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
    if off := why_off(SOURCE):
        yield dg.SkipReason(off)
        return
    for request in resumed(context.instance, datetime.now(timezone.utc)):
        none = False
        yield request
    if none:
        yield dg.SkipReason("no backfill waits for credits")


def resumed(instance: dg.DagsterInstance, now: datetime) -> Iterator[dg.RunRequest]:
    """A run key a stopped run and series: each is gone on with once, and what stops again is another run."""
    midnight = midnight_of(now)
    for series in SERIES:
        stopped = dg.RunsFilter(
            tags={stopped_tag(series): "credits"}, updated_after=now - _RESUME_WITHIN, updated_before=midnight
        )
        for record in instance.get_run_records(stopped):
            run = record.dagster_run
            kept = {tag: run.tags[tag] for tag in _KEPT_TAGS if tag in run.tags}
            if not _has_days(kept):
                continue  # somebody gave that tag to a run of another kind
            ops: Any = run.run_config.get("ops", {})
            given = ops.get(series, {}).get("config", {}).items()
            config = {name: value for name, value in given if name in SCHEMA and isinstance(value, bool | str)}
            if config.get("refresh"):
                # Otherwise it would ask for the same newest windows again, day after day.
                config.setdefault("refreshed_since", record.create_timestamp.isoformat())
            yield dg.RunRequest(
                run_key=f"resume-{series}-{run.run_id}",
                job_name=job_name(series),
                run_config={"ops": {series: {"config": config}}, "loggers": {"console": {}}},
                tags={**kept, HISTORY_TAG: series},
            )


def _has_days(tags: Mapping[str, str]) -> bool:
    """Can Dagster make a run of these tags? One that it cannot make ends the sensor's look, every minute again."""
    days = [tags[tag] for tag in (RANGE_START_TAG, RANGE_END_TAG, PARTITION_TAG) if tag in tags]
    try:
        read = [datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc) for day in days]
    except ValueError:
        return False
    return PARTITION_TAG in tags or ({RANGE_START_TAG, RANGE_END_TAG} <= tags.keys() and read == sorted(read))


@dg.sensor(
    jobs=backfills,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Backfills gaps that can still be filled, the newest first, for LCW_GAP_CREDITS a day.",
)
def fill_gaps(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    if off := why_off(SOURCE):
        return dg.SkipReason(off)
    try:
        return filled(context.instance, load_settings(), datetime.now(timezone.utc))
    except SettingsError as error:
        return dg.SkipReason(str(error))


def filled(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """One backfill at a time. What is spent is added up from today's runs of its own, by what they were to cost."""
    import duckdb

    from lcw_assets.defs.history.tracked import TrackedError
    from lcw_assets.warehouse.errors import WarehouseError

    midnight = midnight_of(now)
    for series in SERIES:
        if instance.get_run_records(dg.RunsFilter(job_name=job_name(series), statuses=UNFINISHED), limit=1):
            return dg.SkipReason(f"{job_name(series)} is running")
    today = instance.get_runs(dg.RunsFilter(tags={_FOR_TAG: "gaps"}, created_after=midnight))
    left = settings.gap_credits - sum(_credits(run) for run in today)
    keys = {run.tags.get(_GAP_TAG) for run in today}
    if left > 0:
        try:
            for fill in _fills(settings, now, left):
                key = f"{fill.series} {fill.first:%Y-%m-%d} {fill.last:%Y-%m-%d}"
                if key not in keys:  # what could not be filled today is tried again tomorrow
                    return _request(fill, key, midnight)
        except (WarehouseError, TrackedError, duckdb.Error) as error:
            return dg.SkipReason(str(error))
    return dg.SkipReason(f"no gap that {left:,} credits of LCW_GAP_CREDITS={settings.gap_credits} can fill")


def _credits(run: dg.DagsterRun) -> int:
    """What a run for gaps was to cost. One whose tags a person wrote counts for nothing that cannot be read."""
    said = run.tags.get(_CREDITS_TAG, "")
    return int(said) if said.isdecimal() and len(said) <= 9 else 0


@dataclass(frozen=True)
class _Fill:
    """Days to fill, what that costs, and the coins that the credits are enough for (null: all)."""

    series: str
    first: datetime
    last: datetime
    calls: int
    coins: str | None
    begins: bool


def _fills(settings: Settings, now: datetime, left: int) -> Iterator[_Fill]:
    """Of each gap as many of its newest days as `left` credits buy; if they buy no day, as many coins of the newest."""
    from lcw_assets.warehouse.connection import open_database

    horizon = midnight_of(now - FINAL_AFTER)
    with open_database(settings.database, read_only=True, lock_wait_s=0.5) as db:
        rows = db.execute(
            "SELECT CASE kind WHEN 'minutes' THEN 'coin_5min' ELSE subject[9:] END, gap_start, gap_end, "
            "kind = 'history' FROM ops.gaps WHERE calls > 0 ORDER BY gap_end DESC, subject"
        ).fetchall()
        for name, start, end, begins in rows:
            after = min(midnight_of(end + DAY - timedelta(microseconds=1)), horizon)

            def plan(days: int, name: str = name, after: datetime = after) -> "Plan":
                return make_plan(db, SERIES[name], settings, after - days * DAY, after, now)

            days = (after - midnight_of(start)) // DAY
            while days > 1 and plan(days).calls > left:
                days = days // 2
            if days < 1:
                continue
            made = plan(days)
            coins, calls = (None, made.calls) if made.calls <= left else _affordable(made, left)
            if calls:
                yield _Fill(name, after - days * DAY, after - DAY, calls, coins, begins)


def _affordable(plan: "Plan", left: int) -> tuple[str, int]:
    """As many of the coins as `left` credits are enough for, and what they cost."""
    coins, spent = [], 0
    for code in plan.codes:
        calls = plan.calls_for(code)
        if calls and spent + calls <= left:
            coins.append(code)
            spent += calls
    return " ".join(coins), spent


def _request(fill: _Fill, key: str, midnight: datetime) -> dg.RunRequest:
    config = {"begins": fill.begins, **({"coins": fill.coins} if fill.coins else {})}
    return dg.RunRequest(
        run_key=f"{key}, on {midnight:%Y-%m-%d}",
        job_name=job_name(fill.series),
        run_config={"ops": {fill.series: {"config": config}}, "loggers": {"console": {}}},
        tags={
            RANGE_START_TAG: f"{fill.first:%Y-%m-%d}",
            RANGE_END_TAG: f"{fill.last:%Y-%m-%d}",
            HISTORY_TAG: fill.series,
            _FOR_TAG: "gaps",
            _CREDITS_TAG: str(fill.calls),
            _GAP_TAG: key,
        },
    )
