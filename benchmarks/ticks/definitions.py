"""The product, and copies of its minute schedules whose ticks are later within the minute.

The daemon goes through its schedules one after another, so the registry's run is made when the cycle's is in the queue.
Its copies wait for that: with a thread for each, both would be made at once, and the cycle's would take twice as long.
"""

import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import dagster as dg

from lcw_assets import definitions as product
from lcw_assets.defs.market.definitions import fetch_cycle
from lcw_assets.defs.registry.definitions import token_registry_sync
from lcw_assets.ingest.declaration import LoadDeclaration
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG, run_unless_running

BEAT_S = int(os.environ.get("BENCHMARK_BEAT_S", "60"))

# How long a registry tick waits for the cycle of its moment, which may have skipped.
_WAIT_S = 8.0

Wait = Callable[[dg.DagsterInstance, datetime], None]


def until(_: dg.DagsterInstance, due_at: datetime) -> None:
    time.sleep(max(0.0, (due_at - datetime.now(timezone.utc)).total_seconds()))


def until_the_cycle_is_queued(instance: dg.DagsterInstance, due_at: datetime) -> None:
    until(instance, due_at)
    of_that_moment = dg.RunsFilter(tags={SCHEDULED_AT_TAG: due_at.isoformat()}, job_name=fetch_cycle.job)
    while datetime.now(timezone.utc) < due_at + timedelta(seconds=_WAIT_S):
        if any(run.status != dg.DagsterRunStatus.NOT_STARTED for run in instance.get_runs(of_that_moment)):
            return
        time.sleep(0.05)


def copied(load: LoadDeclaration, offset_s: int, wait: Wait) -> dg.ScheduleDefinition:
    """A load's schedule, `offset_s` after each full minute."""

    @dg.schedule(
        name=f"{load.schedule or load.job}_{offset_s}",
        job_name=load.job,
        cron_schedule="* * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        due_at = context.scheduled_execution_time + timedelta(seconds=offset_s)
        wait(context.instance, due_at)
        outcome = run_unless_running(context, load.job)
        if isinstance(outcome, dg.SkipReason):
            return outcome
        return dg.RunRequest(tags={**outcome.tags, SCHEDULED_AT_TAG: due_at.isoformat()})

    return tick


@dg.definitions
def defs() -> dg.Definitions:
    offsets = range(0, 60, BEAT_S)
    cycles = [copied(fetch_cycle, offset_s, until) for offset_s in offsets if offset_s]
    syncs = [copied(token_registry_sync, offset_s, until_the_cycle_is_queued) for offset_s in offsets]
    return dg.Definitions.merge(product.defs(), dg.Definitions(schedules=[*cycles, *syncs]))
