"""A sync a minute, and never two at once."""

import dagster as dg

from lcw_assets.defs.registry.jobs import token_registry_sync
from lcw_assets.orchestration.guard import run_unless_running
from lcw_assets.sources.kucoin_futures.spec import SOURCE


@dg.schedule(
    name="token_registry_sync",
    job=token_registry_sync,
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every minute, unless a sync is still running.",
)
def token_registry_sync_every_minute(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    return run_unless_running(context, token_registry_sync.name, SOURCE)
