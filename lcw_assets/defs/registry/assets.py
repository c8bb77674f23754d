"""The one step of a sync."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets import escape
from lcw_assets.defs.registry.checks import failed_results, registry_checks, registry_results
from lcw_assets.defs.registry.metadata import table_metadata
from lcw_assets.defs.registry.specs import registry_specs
from lcw_assets.orchestration.console import RESULT
from lcw_assets.orchestration.evaluations import evaluations, is_selected
from lcw_assets.orchestration.run_clock import run_clock, run_load, run_settings
from lcw_assets.rounding import rounded
from lcw_assets.settings import Settings
from lcw_assets.sources.kucoin_futures.spec import SOURCE

if TYPE_CHECKING:
    from lcw_assets.defs.registry.fetch import Fetched
    from lcw_assets.defs.registry.store import Stored, StoredSync
    from lcw_assets.ingest.spool import Spool
    from lcw_assets.ingest.spool_file import Spooled
    from lcw_assets.orchestration.warehouse import WarehouseResource

# From the tick until a sync stops asking: what was listed is to be known within the minute.
_ASK_S = 30.0


@dg.multi_asset(
    name="sync",
    specs=registry_specs(),
    check_specs=registry_checks(),
    can_subset=True,  # so that a sync that finds the database locked may say nothing of the tables
    retry_policy=dg.RetryPolicy(max_retries=1, delay=1.0, jitter=dg.Jitter.PLUS_MINUS),
    required_resource_keys={"warehouse"},
)
def sync_step(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """Ask KuCoin for every contract, leave the answer in the spool, and put what waits there into the tables."""
    from lcw_assets.ingest.spool import Spool
    from lcw_assets.ingest.spool_file import SpoolError

    settings = run_settings(context, SOURCE)
    spool = Spool(settings.of(SOURCE).spool_dir)
    try:
        fetched, own = _fetch(context, settings, spool)
    except SpoolError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    stored = _store(context, settings, spool, own)
    source = {"source": "simulator" if settings.simulated else settings.of(SOURCE).name}
    done = next((sync for sync in reversed(stored.syncs) if sync.sync.run_id == context.run.run_id), None)
    if fetched.why:
        if done and stored.state:  # the last green checks must not stand for a sync that got nothing
            for spec in registry_specs():
                if spec.key.path == ["ops", "syncs"] and is_selected(context, spec.key):
                    metadata = source | table_metadata("syncs", done, stored)
                    yield dg.AssetMaterialization(spec.key, metadata=metadata)
            yield from evaluations(context, failed_results(done, stored.state, datetime.now(timezone.utc)))
        raise dg.Failure(f"nothing was answered: {fetched.why}", allow_retries=False)
    for spec in registry_specs():
        if spec.key not in context.selected_asset_keys:
            continue
        if spec.key.path == ["raw", "contracts"]:
            yield dg.MaterializeResult(
                asset_key=spec.key,
                metadata=source | {"entries": fetched.contracts, "seconds": rounded(fetched.seconds)},
            )
        elif done and stored.state:
            results = registry_results(done, stored.state, datetime.now(timezone.utc))
            yield dg.MaterializeResult(
                asset_key=spec.key,
                metadata=source | table_metadata(spec.key.path[-1], done, stored),
                check_results=[result for result in results if result.asset_key == spec.key],
            )


def _fetch(context: dg.AssetExecutionContext, settings: Settings, spool: "Spool") -> "tuple[Fetched, Spooled]":
    """What came of it, and what is in the spool of it."""
    from lcw_assets.defs.registry.fetch import fetch
    from lcw_assets.ingest.connect import connect
    from lcw_assets.transport.deadline import Deadline

    clock = run_clock(context)
    sync = run_load(context, clock, "token_registry_sync", source=settings.of(SOURCE).name)
    deadline = Deadline.after(clock.time_to_ask_s(_ASK_S))
    with spool.open(sync) as sink, connect(SOURCE, settings, sink=sink, deadline=deadline) as api:
        fetched = fetch(api)
        end = fetched.end()
        sink.end(end)
    return fetched, sink.spooled(sync, end)


def _store(context: dg.AssetExecutionContext, settings: Settings, spool: "Spool", own: "Spooled") -> "Stored":
    """Store what waits, and say so. A database that somebody has open only delays that: nothing is raised for it."""
    from lcw_assets.alerts.outbox import Outbox
    from lcw_assets.defs.registry.plausible import Limits
    from lcw_assets.defs.registry.store import Rules, Stored, store_pending
    from lcw_assets.warehouse.errors import LockedError, UnstorableError, WarehouseError
    from lcw_assets.warehouse.lock import LOCK_WAIT_S

    warehouse: WarehouseResource = context.resources.warehouse
    rules = Rules(
        Limits(settings.registry_max_delisted_share, settings.registry_max_delisted_count),
        timedelta(hours=settings.registry_new_hours),
    )
    # The sensors deliver what is in the outbox, every ten seconds. Here nobody waits for a channel.
    outbox = Outbox(settings.alerts_dir, lambda run_id: run_id)
    tell = partial(outbox.put, log=context.log.warning)
    try:
        connect = partial(warehouse.get_connection, lock_wait_s=LOCK_WAIT_S)
        stored = store_pending(connect, spool, context.log.warning, rules=rules, tell=tell, own=own)
    except LockedError as error:
        if error.wait:
            spool.locked_out(context.run.run_id, error.wait, context.log.warning)
        waiting = len(spool.pending())
        context.log.warning(
            f"spooled: {error}. Waiting in {spool.folder}: {waiting}; the next sync that gets in stores them all"
        )
        return Stored(datetime.now(timezone.utc))
    except UnstorableError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except WarehouseError as error:
        message = f"{error}. Nothing is lost: it waits in {spool.folder}, with {len(spool.pending())} syncs in all"
        raise dg.Failure(message, allow_retries=False) from None
    for sync in stored.syncs:
        _say(context, sync)
    return stored


def _say(context: dg.AssetExecutionContext, sync: "StoredSync") -> None:
    changes = sync.found.changes
    if sync.found.status == "applied":
        context.log.info(
            f"{sync.found.contracts:,} contracts: {changes.listed:,} listed, {changes.relisted:,} back, "
            f"{changes.delisted:,} delisted, {changes.status_changes:,} changes of status, "
            f"{changes.parameter_changes:,} of parameters, {changes.snapshots:,} moved"
        )
    else:
        context.log.warning(f"{sync.sync.load_id} is {sync.found.status}: {sync.found.reason}")
    for event, names in sync.news.items():
        context.log.info(f"{event}: {escape.some(sorted(names))}", extra=RESULT)
    context.log.info(str(sync.phases))
