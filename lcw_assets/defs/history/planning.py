"""What a backfill is going to do and how far it is, in words; and the plan itself, from settings and tables."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.history.config import StopError
from lcw_assets.defs.history.series import FIRST
from lcw_assets.ingest.clock import DAY, midnight_of
from lcw_assets.rounding import digits
from lcw_assets.settings import Settings
from lcw_assets.sources.lcw.spec import SOURCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.defs.history.backfill import Progress
    from lcw_assets.defs.history.plan import Plan
    from lcw_assets.defs.history.series import Series


def make_plan(
    db: DuckDBPyConnection,
    series: Series,
    settings: Settings,
    start: datetime,
    end: datetime,
    now: datetime,
    *,
    coins: str | None = None,
    asked_since: datetime | None = None,
) -> Plan:
    """For the days from `start` to before `end`; what was asked before `asked_since` is asked again.

    Raises `TrackedError` and `StopError`.
    """
    from lcw_assets.defs.history.covered import read_covered, read_top
    from lcw_assets.defs.history.plan import Plan, Span
    from lcw_assets.defs.history.tracked import read_given, read_tracked

    today = midnight_of(now)
    wanted = Span(max(start, FIRST), min(end, today))
    if start >= end:
        raise StopError(f"the range ends before it begins: from {start:%Y-%m-%d} to {end - DAY:%Y-%m-%d}")
    if wanted.start >= wanted.end:
        raise StopError(
            f"{start:%Y-%m-%d} to {end - DAY:%Y-%m-%d} has no day that is over: history is from "
            f"{FIRST:%Y-%m-%d} to {today - DAY:%Y-%m-%d}"
        )
    codes = [""]
    if series.per_coin:
        top = partial(read_top, db, settings.currency, now)
        codes = read_given(coins, top) if coins else read_tracked(settings.tracked_coins, top)
    covered, unknown = read_covered(db, series, settings.currency, codes, now, asked_since)
    return Plan(series, wanted, today, covered, dict.fromkeys(unknown, "unknown to Live Coin Watch within a day"))


def say_plan(plan: Plan, settings: Settings) -> str:
    """What it costs, before anything is asked for."""
    days = plan.wanted.length // DAY
    coins = "the whole market"
    if plan.series.per_coin:
        coins = plan.codes[0] if len(plan.codes) == 1 else f"{len(plan.codes):,} coins"
    calls, per_s = plan.calls, settings.of(SOURCE).rate.per_s
    if not calls:
        return f"plan: {plan.series.table}, {coins}, {days:,} days: all of it was asked for before, nothing is to do"
    return (
        f"plan: {plan.series.table}, {coins}, {days:,} days from {plan.wanted.start:%Y-%m-%d}: {calls:,} calls, as "
        f"many credits, {_time(calls / per_s)} at {per_s:g} calls a second; it stops at "
        f"{settings.credit_reserve:,} credits"
    )


def say_progress(progress: Progress) -> dict[str, Any]:
    left_s = progress.left_s
    end = datetime.now(timezone.utc) + timedelta(seconds=left_s) if left_s is not None else None
    stored = progress.stored
    credits_ = f", {progress.credits:,} credits left" if progress.credits is not None else ""
    done = (
        f"{progress.calls:,} of {progress.planned:,} calls, {stored.points:,} points stored, {stored.revised:,} revised"
    )
    rate = progress.calls / max(progress.seconds, 1e-9)
    until = f", done about {end:%Y-%m-%d %H:%M:%S} UTC" if end and progress.calls < progress.planned else ""
    return {
        "progress": f"{done}, {digits(rate)} calls/s{credits_}{until}",
        "calls_done": progress.calls,
        "calls_left": max(0, progress.planned - progress.calls),
        **({"credits_left": progress.credits} if progress.credits is not None else {}),
        **({"estimated_end": end.isoformat()} if end else {}),
    }


def complete_days(
    db: DuckDBPyConnection, plan: Plan, unknown: set[str], settings: Settings, asked_since: datetime | None
) -> list[datetime]:
    """The days of a plan for which every coin was asked, in order: each tracked one, also where others were meant."""
    from lcw_assets.defs.history.covered import read_covered, read_top
    from lcw_assets.defs.history.plan import uncovered
    from lcw_assets.defs.history.tracked import TrackedError, read_tracked

    codes, now = set(plan.codes), datetime.now(timezone.utc)
    if plan.series.per_coin:
        with suppress(TrackedError):  # none is known to be tracked
            codes |= set(read_tracked(settings.tracked_coins, partial(read_top, db, settings.currency, now)))
    covered, unknown_now = read_covered(db, plan.series, settings.currency, sorted(codes), now, asked_since)
    covered = {code: spans for code, spans in covered.items() if code not in unknown | unknown_now}
    if not covered:
        return []
    missing: set[datetime] = set()
    for spans in set(covered.values()):
        for span in uncovered(plan.wanted, spans):
            day = midnight_of(span.start)
            while day < span.end:
                missing.add(day)
                day += DAY
    days = plan.wanted.length // DAY
    return [day for day in (plan.wanted.start + number * DAY for number in range(days)) if day not in missing]


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
