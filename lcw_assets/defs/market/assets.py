"""The two steps of a fetch cycle."""

from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets.defs.market.checks import failed_results, pull_checks, pull_results, store_checks, store_results
from lcw_assets.defs.market.metadata import table_metadata
from lcw_assets.defs.market.specs import pull_specs, store_specs
from lcw_assets.defs.monitoring.checks import read_sla, sla_checks, sla_results
from lcw_assets.defs.monitoring.sla import Sla, SlaError
from lcw_assets.orchestration.console import RESULT
from lcw_assets.orchestration.evaluations import evaluations, is_selected
from lcw_assets.orchestration.run_clock import run_clock, run_load, run_settings
from lcw_assets.rounding import rounded, seconds
from lcw_assets.settings import Settings
from lcw_assets.sources.lcw.spec import SOURCE

if TYPE_CHECKING:
    from lcw_assets.defs.market.store import Stored
    from lcw_assets.ingest.tuning import Recent
    from lcw_assets.orchestration.warehouse import WarehouseResource

# For what nobody foresaw. What was foreseen (the API's errors, a locked or broken database, a full disk) is tried
# again where that helps, within the cycle's deadline: by the transport, and by the next cycle.
_RETRY_ONCE = dg.RetryPolicy(max_retries=1, delay=1.0, jitter=dg.Jitter.PLUS_MINUS)


@dg.multi_asset(
    name="pull",
    specs=pull_specs(),
    check_specs=pull_checks(),
    can_subset=True,
    retry_policy=_RETRY_ONCE,
    required_resource_keys={"warehouse"},  # by name: the warehouse's type would bring DuckDB along
)
def pull_step(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """Ask Live Coin Watch for everything, and leave each answer in the spool as it comes."""
    # Imported here, as in the store step: what loads definitions all day long needs none of it.
    from lcw_assets.defs.market.plan import plan_cycle, wants_profiles
    from lcw_assets.ingest.connect import connect
    from lcw_assets.ingest.fetch import Pulled, pull
    from lcw_assets.ingest.machine import measure_machine
    from lcw_assets.ingest.spool import Spool
    from lcw_assets.ingest.spool_file import SpoolError
    from lcw_assets.ingest.tuning import Switches, look_at_breaker, tune
    from lcw_assets.transport.deadline import Deadline

    settings = run_settings(context, SOURCE)
    own = settings.of(SOURCE)
    clock = run_clock(context)
    cycle = run_load(context, clock, "fetch_cycle", source=own.name, currency=settings.currency)
    plan = plan_cycle(
        coins=settings.coins,
        exchanges=settings.exchanges,
        currency=settings.currency,
        meta=wants_profiles(clock.scheduled_at, database_exists=settings.database.exists()),
    )
    calls = [call for call in plan if dg.AssetKey(["raw", call.part]) in context.selected_asset_keys]
    recent = _recent(context, settings, clock.now)
    switches = Switches(
        in_flight=settings.max_in_flight,
        hedging=settings.hedging,
        adaptive_timeouts=settings.adaptive_timeouts,
        adaptive_concurrency=settings.adaptive_concurrency,
        breaker=settings.breaker,
    )
    tuning, breaker = tune(recent, switches), look_at_breaker(recent, switches, clock.now)
    deadline = Deadline.after(clock.time_to_ask_s(settings.cycle_deadline_s))
    context.log.info(f"cycle {cycle.load_id}: {len(calls)} calls, {tuning.in_flight} at once, {own.name}")
    try:
        with Spool(own.spool_dir).open(cycle) as spool:
            spooled = len(Spool(own.spool_dir).files())
            spool.machine(measure_machine("start", spooled=spooled, database=settings.database))
            spool.plan((call.endpoint, call.request) for call in calls)
            if breaker.state == "open":
                pulled = Pulled.nothing(calls, str(breaker))
            else:
                with connect(SOURCE, settings, sink=spool, deadline=deadline, tuning=tuning) as api:
                    pulled = pull(
                        api,
                        calls,
                        deadline=deadline,
                        in_flight=tuning.in_flight,
                        log=context.log.info,
                        probe=breaker.state == "half-open",
                    )
            spool.end(pulled.end(cycle.started_at))
    except SpoolError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    if pulled.failed:
        yield from _store_failed(context, settings)
        why = str(breaker) if breaker.state == "open" else f"nothing was answered: {pulled.why}"
        raise dg.Failure(why, metadata={"missing": pulled.missing}, allow_retries=False)
    context.log.info(
        f"pulled in {seconds(pulled.seconds)}" + (f", {len(pulled.missing)} missing" if pulled.missing else "")
    )
    for name, part in pulled.parts.items():
        attempts = [attempt for attempt in spool.attempts if attempt["endpoint"] == part.endpoint]
        yield dg.MaterializeResult(
            asset_key=["raw", name],
            metadata={
                "source": own.name,
                "cycle_id": cycle.load_id,
                "entries": part.entries,
                "calls": part.answered,
                "calls_missing": part.planned - part.answered,
                "retries": sum(attempt["attempt"] > 1 for attempt in attempts),
                "bytes": sum(attempt["bytes"] for attempt in attempts),
                "seconds": rounded(part.seconds),
            },
            check_results=pull_results(pulled, len(plan), clock.now) if name == "credits" else [],
        )


@dg.multi_asset(
    name="store",
    specs=store_specs(),
    check_specs=[*store_checks(), *sla_checks()],
    can_subset=True,  # so that a cycle that finds the database locked may say nothing of the tables
    retry_policy=_RETRY_ONCE,
    required_resource_keys={"warehouse"},
)
def store_step(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Put everything that waits in the spool into the tables: this cycle, and before it any that could not be."""
    settings = run_settings(context)
    sla = read_sla()
    stored = _store(context, settings, sla)
    own = stored.of_run(context.run.run_id)
    if own is None:
        return
    checks = [
        *store_results(own, stored.tables, datetime.now(timezone.utc)),
        *(sla_results(stored.sla_state, sla) if own is stored.cycles[-1] else []),
    ]
    for spec in store_specs():
        if spec.key not in context.selected_asset_keys:
            continue
        yield dg.MaterializeResult(
            asset_key=spec.key,
            metadata=table_metadata(spec.metadata["dagster/table_name"], own, stored),
            check_results=[result for result in checks if result.asset_key == spec.key],
        )


def _store_failed(
    context: dg.AssetExecutionContext, settings: Settings
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """The facts of a cycle that got nothing are facts too, and its checks fail: the last green ones must not stand."""
    sla = read_sla()
    stored = _store(context, settings, sla)
    own = stored.of_run(context.run.run_id)
    if own is None:
        return
    for spec in store_specs():
        if spec.key.path[0] == "ops" and is_selected(context, spec.key):
            metadata = table_metadata(spec.metadata["dagster/table_name"], own, stored)
            yield dg.AssetMaterialization(spec.key, metadata=metadata)
    results = [
        *failed_results(own, stored.tables, datetime.now(timezone.utc)),
        *(sla_results(stored.sla_state, sla) if own is stored.cycles[-1] else []),
    ]
    yield from evaluations(context, results)


def _store(context: dg.AssetExecutionContext, settings: Settings, sla: Sla | SlaError) -> "Stored":
    """Store what waits, and say so. A database that somebody has open only delays that: nothing is raised for it."""
    from lcw_assets.defs.market.store import Stored, store_pending
    from lcw_assets.ingest.clock import StoreClock
    from lcw_assets.ingest.spool import Spool
    from lcw_assets.warehouse.errors import LockedError, UnstorableError, WarehouseError
    from lcw_assets.warehouse.lock import LOCK_WAIT_S

    warehouse: WarehouseResource = context.resources.warehouse
    spool = Spool(settings.of(SOURCE).spool_dir)
    clock = run_clock(context)
    left_s = settings.cycle_deadline_s - (clock.now - clock.started_at).total_seconds()
    connect = partial(warehouse.get_connection, lock_wait_s=min(LOCK_WAIT_S, max(0.0, left_s)))
    try:
        stored = store_pending(
            connect,
            spool,
            context.log.warning,
            database=settings.database,
            sla=sla if isinstance(sla, Sla) else None,
        )
    except LockedError as error:
        if error.wait:
            spool.locked_out(context.run.run_id, error.wait, context.log.warning)
        waiting = len(spool.pending())
        context.log.warning(
            f"spooled: {error}. Waiting in {spool.folder}: {waiting}; the next cycle that gets in stores them all"
        )
        return Stored(StoreClock())
    except UnstorableError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except WarehouseError as error:
        message = f"{error}. Nothing is lost: it waits in {spool.folder}, with {len(spool.pending())} cycles in all"
        raise dg.Failure(message, allow_retries=False) from None
    for cycle in stored.cycles:
        row = cycle.row
        context.log.info(
            f"stored {row['cycle_id']}, {row['status']}: {row['coins_seen']:,} coins seen, {row['coins_changed']:,} "
            f"changed, {row['quarantined']} quarantined, in {seconds(row['store_s'])}; "
            f"the cycle took {seconds(row['cycle_s'])}",
            extra=RESULT,
        )
    return stored


def _recent(context: dg.AssetExecutionContext, settings: Settings, now: datetime) -> "Recent":
    """The facts that this cycle adapts to. Without them (no tables yet, a lock) it starts cold: no reason to fail."""
    import duckdb

    from lcw_assets.ingest.tuning import Recent, read_recent
    from lcw_assets.warehouse.errors import WarehouseError

    if not settings.database.exists():
        return Recent()
    warehouse: WarehouseResource = context.resources.warehouse
    try:
        # The token registry, which starts with the same tick, has the file for a tenth of a second.
        with warehouse.get_connection(read_only=True, lock_wait_s=0.3, config={"threads": 1}) as db:
            return read_recent(db, settings.of(SOURCE).name, now)
    except (WarehouseError, duckdb.Error) as error:
        context.log.info(f"no facts to adapt to: {error}")
        return Recent()
