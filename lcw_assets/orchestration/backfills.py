"""Backfills by day, as Dagster runs them: the days of a run, the result of each, and what sensors start.

`dagster job backfill` queues a run a day, and calls its backfill complete at once. Dagster's own backfill daemon is
better for a job that may do many days in one run: it starts a run for each range of days, follows them, and reports
their end. So the first run of such a backfill hands the rest to the daemon.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import wraps
from typing import Any

import dagster as dg

from lcw_assets.ingest.clock import midnight_of
from lcw_assets.orchestration.console import RESULT
from lcw_assets.orchestration.dagster_private import (
    BACKFILL_ID_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    BulkActionStatus,
    PartitionBackfill,
    UnresolvedAssetJobDefinition,
)
from lcw_assets.orchestration.guard import why_off
from lcw_assets.orchestration.jobs import one_process_job
from lcw_assets.sources.spec import Source

Evaluate = Callable[[dg.SensorEvaluationContext], Any]
Jobs = Sequence[UnresolvedAssetJobDefinition]
Results = Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]

# The command stores its backfill last, after some 0.1 s for each run. If no run came for so long, it was stopped.
_QUIET_S = 15.0

_OBSERVED_EVERY_S = 60.0


_PARTITION_TAG = "dagster/partition"
_DAYS_TAGS = (RANGE_START_TAG, RANGE_END_TAG, _PARTITION_TAG)
# Tags of a run that a sensor started: its purpose, its planned cost, and which days of which op it fills.
_FOR_TAG, _CREDITS_TAG, _FILLS_TAG = "lcw/for", "lcw/credits", "lcw/gap"

# Backfills that stopped longer ago than this are not resumed.
_RESUME_WITHIN = timedelta(days=14)


class Days(dg.DailyPartitionsDefinition):
    """Days; every run is tagged with a range of them, even for one day.

    For a job that may do many days in one run, Dagster's page of a backfill reads only the range of each run: with the
    tags of `dagster job backfill`, a day each, it showed "Partition statuses unavailable".
    """

    def get_tags_for_partition_key(self, partition_key: str) -> Mapping[str, str]:
        return {RANGE_START_TAG: partition_key, RANGE_END_TAG: partition_key}


def job_name(op: str) -> str:
    return f"backfill_{op}"


def backfill_job(op: str, asset: str, tags: Mapping[str, str]) -> UnresolvedAssetJobDefinition:
    """One job for each asset, so that each can be backfilled alone."""
    description = (
        f"Fill days of {asset.replace('/', '.')}: those of its partition, or of a range. A year in one run: "
        f"`dg launch --job {job_name(op)} --partition-range 2025-01-01...2025-12-31`."
    )
    return one_process_job(job_name(op), asset, description=description, max_runtime_s=86_400, tags=tags)


def chosen_days(context: dg.AssetExecutionContext) -> tuple[datetime, datetime]:
    """From the first day of a run to the end of the last. A range in tags may have days that are not partitions."""
    if not context.has_partition_key and not context.has_partition_key_range:
        asset = context.asset_key.to_user_string()
        raise dg.Failure(f"{asset} is filled by days: name a partition or a range", allow_retries=False)
    window = context.partition_time_window
    return window.start, window.end


class Report:
    """The progress of a run: lines of its log, results on the terminal too, and numbers once a minute."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self.info: Callable[[str], None] = context.log.info
        self.warning: Callable[[str], None] = context.log.warning
        self._context = context
        self._observed_at = time.monotonic()

    def result(self, line: str) -> None:
        self._context.log.info(line, extra=RESULT)

    def observe(self, metadata: Callable[[], Mapping[str, Any]]) -> None:
        if time.monotonic() - self._observed_at > _OBSERVED_EVERY_S:
            self._observed_at = time.monotonic()
            self._context.log_event(dg.AssetObservation(self._context.asset_key, metadata=metadata()))


def results(context: dg.AssetExecutionContext, run: Any, check: dg.AssetCheckResult) -> Results:
    """All of the days of a run, if its `status` is `done`; else those that are `complete`, and the check.

    `partial` and `credits` (stopped, `resumed` continues it) are not failures. `text` describes the result, beside
    `metadata`.
    """
    key = context.asset_key
    if run.status == "done":
        yield dg.MaterializeResult(asset_key=key, metadata=run.metadata, check_results=[check])
        return
    for day in run.complete:
        context.log_event(dg.AssetMaterialization(key, partition=f"{day:%Y-%m-%d}", metadata=run.metadata))
    yield check
    if run.status not in ("partial", "credits"):
        raise dg.Failure(run.text, metadata=run.metadata, allow_retries=False)
    if run.status == "credits":
        stopped = {_stopped_tag(context.op_execution_context.op.name): "credits"}
        context.instance.add_run_tags(context.run.run_id, stopped)
    context.log.warning(run.text)


def _stopped_tag(op: str) -> str:
    """Of the op, because a run may be of several."""
    return f"lcw/stopped-{op}"


def join_runs(context: dg.AssetExecutionContext, sleep: Callable[[float], None] = time.sleep) -> None:
    """In a run of `dagster job backfill`: merge all waiting runs into one, and let the daemon follow the backfill.

    Does nothing in other runs, and is safe in two runs at once.
    """
    backfill_id = context.run.tags.get(BACKFILL_ID_TAG)
    backfill = _written_down(context, backfill_id, sleep) if backfill_id else None
    # Nobody else gives a backfill this status: those that the daemon follows end as COMPLETED_SUCCESS or _FAILED.
    if backfill is None or backfill.status != BulkActionStatus.COMPLETED:
        return
    # This comes first: if the process dies here, a run a day is left. While this run goes on, the daemon does not
    # see the backfill as ended, and its next iteration submits days without a run.
    context.instance.update_backfill(backfill._replace(status=BulkActionStatus.REQUESTED, backfill_end_timestamp=None))
    waiting = context.instance.get_runs(
        dg.RunsFilter(tags={BACKFILL_ID_TAG: backfill.backfill_id}, statuses=[dg.DagsterRunStatus.QUEUED])
    )
    for run in waiting:
        context.instance.delete_run(run.run_id)
    if waiting:
        context.log.info(f"the other {len(waiting)} days of backfill {backfill.backfill_id} follow in one run")


def _written_down(
    context: dg.AssetExecutionContext, backfill_id: str, sleep: Callable[[float], None]
) -> PartitionBackfill | None:
    """The backfill, as soon as all of its runs are queued. Null if the command was stopped before."""
    runs, waits = dg.RunsFilter(tags={BACKFILL_ID_TAG: backfill_id}), False
    while (backfill := context.instance.get_backfill(backfill_id)) is None:
        newest = context.instance.get_run_records(runs, limit=1)
        if not newest or (datetime.now(timezone.utc) - newest[0].create_timestamp).total_seconds() > _QUIET_S:
            return None
        if not waits:
            context.log.info(
                "waiting until `dagster job backfill` has queued a run for each day. `dg launch --job "
                f"{context.run.job_name} --partition-range FIRST...LAST` starts one for all of them"
            )
        waits = True
        sleep(0.5)
    return backfill  # type: ignore[no-any-return]


def running_sensor(evaluate: Evaluate, jobs: Jobs, source: Source, every_s: int) -> dg.SensorDefinition:
    """A sensor that is on from the start, with the name and docstring of `evaluate`; it skips while `source` is off."""

    @wraps(evaluate)
    def unless_off(context: dg.SensorEvaluationContext) -> Any:
        off = why_off(source)
        return dg.SkipReason(off) if off else evaluate(context)

    return dg.sensor(
        jobs=jobs,
        minimum_interval_seconds=every_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=evaluate.__doc__,
    )(unless_off)


def resume_sensor(jobs: Jobs, ops: Iterable[str], fields: Collection[str], source: Source) -> dg.SensorDefinition:
    def resume_backfills(context: dg.SensorEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        """After 00:00 UTC, goes on with backfills that stopped because the day's credits were low."""
        requests = [*resumed(context.instance, ops, fields, datetime.now(timezone.utc))]
        return requests or dg.SkipReason("no backfill waits for credits")

    return running_sensor(resume_backfills, jobs, source, every_s=60)


def resumed(
    instance: dg.DagsterInstance, ops: Iterable[str], fields: Collection[str], now: datetime
) -> Iterator[dg.RunRequest]:
    """Runs that go on with those that stopped before today, with the same days and the same `fields` of config.

    The run key is of the stopped run and its op: each is resumed once, and one that stops again is another run.
    """
    for op in ops:
        stopped = dg.RunsFilter(
            tags={_stopped_tag(op): "credits"}, updated_after=now - _RESUME_WITHIN, updated_before=midnight_of(now)
        )
        for record in instance.get_run_records(stopped):
            run = record.dagster_run
            kept = (*_DAYS_TAGS, _FOR_TAG, _CREDITS_TAG, _FILLS_TAG)
            tags = {tag: run.tags[tag] for tag in kept if tag in run.tags}
            if not _has_days(tags):
                continue  # a user gave that tag to a run of another kind
            ops_config: Any = run.run_config.get("ops", {})
            given = ops_config.get(op, {}).get("config", {})
            config = {name: given[name] for name in fields if isinstance(given.get(name), bool | str)}
            if config.get("refresh"):
                # Otherwise it would request the same newest windows again, day after day.
                config.setdefault("refreshed_since", record.create_timestamp.isoformat())
            yield _request(op, config, tags, f"resume-{op}-{run.run_id}")


def _has_days(tags: Mapping[str, str]) -> bool:
    """Can Dagster make a run of these tags? One that it cannot make fails the sensor, every minute again."""
    try:
        days = [datetime.strptime(tags[tag], "%Y-%m-%d") for tag in _DAYS_TAGS if tag in tags]  # noqa: DTZ007
    except ValueError:
        return False
    return _PARTITION_TAG in tags or ({RANGE_START_TAG, RANGE_END_TAG} <= tags.keys() and days == sorted(days))


def fill_request(
    op: str, config: Mapping[str, Any], days: tuple[str, str], *, purpose: str, credits_: int, now: datetime
) -> dg.RunRequest:
    """A run that fills the first to the last of `days`, once a day at most, and counts as `spent_today`."""
    fills, (first, last) = " ".join((op, *days)), days
    tags = {RANGE_START_TAG: first, RANGE_END_TAG: last}
    tags |= {_FOR_TAG: purpose, _CREDITS_TAG: str(credits_), _FILLS_TAG: fills}
    return _request(op, config, tags, f"{fills}, on {now:%Y-%m-%d}")


def spent_today(instance: dg.DagsterInstance, purpose: str, now: datetime) -> tuple[int, set[tuple[str, ...]]]:
    """The planned credits of today's runs for that purpose; and op, first and last day of each."""
    runs = instance.get_runs(dg.RunsFilter(tags={_FOR_TAG: purpose}, created_after=midnight_of(now)))
    return sum(map(_credits, runs)), {tuple(run.tags.get(_FILLS_TAG, "").split()) for run in runs}


def _credits(run: dg.DagsterRun) -> int:
    """A tag that a person wrote, and that cannot be read, counts for nothing."""
    text = run.tags.get(_CREDITS_TAG, "")
    return int(text) if text.isdecimal() and len(text) <= 9 else 0


def _request(op: str, config: Mapping[str, Any], tags: Mapping[str, str], run_key: str) -> dg.RunRequest:
    run_config = {"ops": {op: {"config": dict(config)}}, "loggers": {"console": {}}}
    return dg.RunRequest(run_key=run_key, job_name=job_name(op), run_config=run_config, tags=tags)
