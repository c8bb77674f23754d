"""The series of history: a run of days."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets import escape
from lcw_assets.defs.history.checks import history_check, history_result
from lcw_assets.defs.history.config import SCHEMA, HistoryConfig, StopError
from lcw_assets.defs.history.planning import complete_days, make_plan, say_plan, say_progress
from lcw_assets.defs.history.series import SERIES, Series
from lcw_assets.defs.history.specs import DAYS, history_spec
from lcw_assets.ingest.clock import DAY
from lcw_assets.orchestration.backfills import join_runs
from lcw_assets.orchestration.console import RESULT
from lcw_assets.orchestration.database import failure
from lcw_assets.orchestration.run_settings import run_settings
from lcw_assets.rounding import rounded
from lcw_assets.settings import Settings
from lcw_assets.sources.lcw.spec import SOURCE

if TYPE_CHECKING:
    from lcw_assets.defs.history.backfill import Progress, Result
    from lcw_assets.defs.history.plan import Plan
    from lcw_assets.ingest.spool import Spool
    from lcw_assets.orchestration.warehouse import WarehouseResource

# Between calls. What is fetched waits in the spool meanwhile: only the plan and the marking of days need the database.
_BETWEEN_S = 2.0


def stopped_tag(series: str) -> str:
    """On a run that stopped for credits. A run may be of several series."""
    return f"lcw/stopped-{series}"


def _history(name: str) -> dg.AssetsDefinition:
    series = SERIES[name]

    @dg.multi_asset(
        name=name,
        specs=[history_spec(name)],
        check_specs=[history_check(name)],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        config_schema=SCHEMA,
        can_subset=True,  # so that a dry run may say nothing of the check either
        required_resource_keys={"warehouse"},
    )
    def materialize(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        yield from _materialize(context, series)

    return materialize


histories = [_history(name) for name in SERIES]


def _materialize(
    context: dg.AssetExecutionContext, series: Series
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    from lcw_assets.defs.history.lock import only_one
    from lcw_assets.defs.history.store import store_batches
    from lcw_assets.defs.history.tracked import TrackedError
    from lcw_assets.ingest.spool import Spool
    from lcw_assets.ingest.spool_file import SpoolError
    from lcw_assets.warehouse.errors import WarehouseError

    join_runs(context)
    warehouse: WarehouseResource = context.resources.warehouse
    if not context.has_partition_key and not context.has_partition_key_range:
        raise dg.Failure(f"history/{series.name} is filled by days: name a partition or a range", allow_retries=False)
    settings = run_settings(context, SOURCE)
    try:
        config = HistoryConfig.read(context.op_execution_context.op_config, datetime.now(timezone.utc))
        spool = Spool(settings.of(SOURCE).history_spool_dir)
        with only_one(settings.of(SOURCE).history_lock_file, context.log.info):
            connect = warehouse.get_connection
            waited = store_batches(connect, spool, context.log.warning)
            if waited.answers:
                context.log.info(f"{waited.answers:,} answers of a backfill that was interrupted are stored now")
            window, now = context.partition_time_window, datetime.now(timezone.utc)
            with connect() as db:
                plan = make_plan(
                    db,
                    series,
                    settings,
                    window.start,
                    window.end,
                    now,
                    coins=config.coins,
                    asked_since=config.asked_since,
                )
            context.log.info(say_plan(plan, settings), extra=RESULT)
            if config.dry_run:
                return
            result = _run(context, plan, settings, spool, begins=config.begins)
            # Patiently: what somebody's open database has kept out so far.
            result.progress.stored += store_batches(connect, spool, context.log.warning)
            with connect() as db:
                days = complete_days(db, plan, result.unknown, settings, config.asked_since)
    except (TrackedError, StopError, SpoolError) as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except WarehouseError as error:
        more = f"What was answered waits in {spool.folder}; the same range again stores it, and asks only for the rest"
        raise failure(error, more) from None
    yield from _results(context, plan, result, days, chosen=(window.end - window.start) // DAY)


def _run(
    context: dg.AssetExecutionContext, plan: "Plan", settings: Settings, spool: "Spool", *, begins: bool
) -> "Result":
    from lcw_assets.coordination.credit_budget import CreditBudget
    from lcw_assets.defs.history.backfill import backfill
    from lcw_assets.defs.history.batches import Batches
    from lcw_assets.defs.history.store import store_batches
    from lcw_assets.ingest.connect import connect as connect_source
    from lcw_assets.ingest.load import Load, load_id
    from lcw_assets.transport.deadline import Deadline
    from lcw_assets.transport.tuning import Tuning

    warehouse: WarehouseResource = context.resources.warehouse
    now = datetime.now(timezone.utc)
    run_id, source = context.run.run_id, settings.of(SOURCE).history_name
    first = Load.begun(load_id(now, run_id), "backfill", now, run_id=run_id, source=source, currency=settings.currency)
    batches = Batches(spool, plan.series, first, begins=begins)
    connect = partial(warehouse.get_connection, lock_wait_s=_BETWEEN_S)
    observed_at = now

    def report(progress: "Progress") -> None:
        nonlocal observed_at
        said = say_progress(progress)
        context.log.info(said["progress"])
        if datetime.now(timezone.utc) - observed_at > timedelta(minutes=1):
            observed_at = datetime.now(timezone.utc)
            context.log_event(dg.AssetObservation(f"history/{plan.series.name}".split("/"), metadata=said))

    with connect_source(
        SOURCE,
        settings,
        sink=batches,
        deadline=Deadline.after(float("inf")),
        tuning=Tuning(in_flight=settings.max_in_flight),
        first=False,
    ) as api:
        return backfill(
            plan,
            api,
            batches,
            CreditBudget(settings.of(SOURCE).credits_file, settings.credit_reserve, now),
            store=partial(store_batches, connect, spool, context.log.warning),
            in_flight=settings.max_in_flight,
            log=context.log.info,
            report=report,
        )


def _results(
    context: dg.AssetExecutionContext, plan: "Plan", result: "Result", days: list[datetime], *, chosen: int
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """All days, if it is done; else those that are, and why the rest is not. `chosen` is how many the run is of: in
    tags a range may have days that are no partitions.
    """
    name, progress = plan.series.name, result.progress
    unknown = {*result.unknown, *plan.left_out}
    metadata: dict[str, Any] = {
        "calls_planned": plan.calls,
        "calls": progress.calls,
        "points": progress.stored.points,
        "points_new": progress.stored.new,
        "points_revised": progress.stored.revised,
        "points_refused": progress.stored.quarantined,
        "coins": len(plan.codes),
        "unknown_coins": escape.some(sorted(unknown)),
        "days_complete": len(days),
        "seconds": rounded(progress.seconds),
        "calls_per_s": rounded(progress.calls / max(progress.seconds, 1e-9)),
        **({"credits_left": progress.credits} if progress.credits is not None else {}),
    }
    context.log.info(say_progress(progress)["progress"], extra=RESULT)
    if unknown:
        context.log.warning(f"Live Coin Watch knows no coin {escape.some(sorted(unknown))}: the rest is done")
    check = history_result(name, unknown, result.why)
    if result.status == "done" and len(days) == plan.wanted.length // DAY == chosen:
        yield dg.MaterializeResult(asset_key=["history", name], metadata=metadata, check_results=[check])
        return
    for day in days:
        partition = day.strftime("%Y-%m-%d")
        context.log_event(dg.AssetMaterialization(["history", name], partition=partition, metadata=metadata))
    rest = f"{len(days)} days are complete; the same range again asks only for the rest"
    if result.status == "done":
        context.log.warning(f"not all days are marked: {rest}")
        yield check
        return
    if result.status != "credits":
        yield check
        raise dg.Failure(f"{result.why}. What was answered is kept: {rest}", metadata=metadata, allow_retries=False)
    context.instance.add_run_tags(context.run.run_id, {stopped_tag(name): "credits"})
    context.log.warning(f"stopped: {result.why}. {rest}, and the sensor resume_backfills does that after 00:00 UTC")
    yield check
