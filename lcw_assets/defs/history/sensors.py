"""The sensor that fills gaps, a little every day."""

from datetime import datetime, timezone

import dagster as dg

from lcw_assets.defs.history.series import SERIES
from lcw_assets.orchestration.backfills import fill_request, job_name, spent_today
from lcw_assets.orchestration.guard import UNFINISHED
from lcw_assets.settings import Settings, SettingsError, load_settings


def fill_gaps(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Backfills gaps that can still be filled, the newest first, for LCW_GAP_CREDITS a day."""
    try:
        return filled(context.instance, load_settings(), datetime.now(timezone.utc))
    except SettingsError as error:
        return dg.SkipReason(str(error))


def filled(instance: dg.DagsterInstance, settings: Settings, now: datetime) -> dg.RunRequest | dg.SkipReason:
    """One backfill at a time, within what is left of the day's credits for gaps."""
    from lcw_assets.defs.history import gaps

    for job in map(job_name, SERIES):
        if instance.get_run_records(dg.RunsFilter(job_name=job, statuses=UNFINISHED), limit=1):
            return dg.SkipReason(f"{job} is running")
    spent, tried = spent_today(instance, "gaps", now)
    left = settings.gap_credits - spent
    try:
        fill = gaps.next_fill(settings, now, left, tried)
    except gaps.ERRORS as error:
        return dg.SkipReason(str(error))
    if fill is None:
        return dg.SkipReason(f"no gap that {left:,} credits of LCW_GAP_CREDITS={settings.gap_credits} can fill")
    return fill_request(fill.series, fill.config, fill.days, purpose="gaps", credits_=fill.calls, now=now)
