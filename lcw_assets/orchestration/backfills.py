"""What `dagster job backfill` needs besides: it queues a run a day, and calls its backfill complete at once.

Dagster's own backfill daemon does better with a job that may do many days in one run: it starts one for each stretch
of days, follows them, and says how they ended. So the first run of such a backfill gives the rest to the daemon.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

import dagster as dg

from lcw_assets.orchestration.dagster_private import ASSET_PARTITION_RANGE_END_TAG as RANGE_END_TAG
from lcw_assets.orchestration.dagster_private import ASSET_PARTITION_RANGE_START_TAG as RANGE_START_TAG
from lcw_assets.orchestration.dagster_private import BACKFILL_ID_TAG, BulkActionStatus, PartitionBackfill

# The command writes its backfill down last, after some 0.1 s for each run. It was stopped if none came for so long.
_QUIET_S = 15.0


class Days(dg.DailyPartitionsDefinition):
    """Days, of which a run always names a range, also where it is one day.

    Of a job that may do many days in one run, Dagster's page of a backfill reads the range of each run and nothing
    else: where `dagster job backfill` tagged them with their day, it showed "Partition statuses unavailable".
    """

    def get_tags_for_partition_key(self, partition_key: str) -> Mapping[str, str]:
        return {RANGE_START_TAG: partition_key, RANGE_END_TAG: partition_key}


def join_runs(context: dg.AssetExecutionContext, sleep: Callable[[float], None] = time.sleep) -> None:
    """In a run that `dagster job backfill` started: make one run of all that wait, and have the backfill followed.

    Harmless to any other run, and to two that do it at once.
    """
    backfill_id = context.run.tags.get(BACKFILL_ID_TAG)
    backfill = _written_down(context, backfill_id, sleep) if backfill_id else None
    # Nobody else gives a backfill this status: those that the daemon follows end as COMPLETED_SUCCESS or _FAILED.
    if backfill is None or backfill.status != BulkActionStatus.COMPLETED:
        return
    # Followed first: should this process die here, a run a day is what is left. While this run goes on, the daemon
    # cannot find the backfill at its end, and days without a run are submitted with its next look.
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
