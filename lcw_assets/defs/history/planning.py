"""The plan of a run: for which coins and days, and what was requested before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from lcw_assets import escape
from lcw_assets.defs.history.plan import Covered, Plan, PlanError, Span, joined, uncovered
from lcw_assets.defs.history.series import FIRST, Series
from lcw_assets.ingest.clock import DAY, midnight_of
from lcw_assets.instruments.tracked import CoinsError, tracked_codes
from lcw_assets.settings import Settings
from lcw_assets.warehouse.statements import Statements

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)


def requested_since(config: Mapping[str, Any], now: datetime) -> datetime | None:
    """What a run with this configuration requests again, since when; null: nothing. Raises `PlanError`."""
    text = config["refreshed_since"]
    try:
        moment = datetime.fromisoformat(text) if text else now
        moment = moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):  # the latter for the first day of the year 1, east of Greenwich
        given = f"refreshed_since={escape.line(text, 60)}"
        raise PlanError(f"{given}: it must be a moment such as 2026-11-20T12:00:00+00:00") from None
    return moment if config["refresh"] else None


def make_plan(
    db: DuckDBPyConnection,
    series: Series,
    settings: Settings,
    days: Span,
    now: datetime,
    *,
    coins: str | None = None,
    since: datetime | None = None,
) -> Plan:
    """For these days, as far as they are over. Raises `PlanError`."""
    today = midnight_of(now)
    wanted = Span(max(days.start, FIRST), min(days.end, today))
    text = f"{days.start:%Y-%m-%d} to {days.end - DAY:%Y-%m-%d}"
    if days.start >= days.end:
        raise PlanError(f"the range ends before it begins: from {text}")
    if wanted.start >= wanted.end:
        over = f"history is from {FIRST:%Y-%m-%d} to {today - DAY:%Y-%m-%d}"
        raise PlanError(f"{text} has no day that is over: {over}")
    codes = tracked_codes(db, settings, now, coins) if series.per_coin else [""]
    covered, unknown = read_covered(db, series, settings.currency, codes, now, since)
    return Plan(series, wanted, today, covered, unknown)


def complete_days(
    db: DuckDBPyConnection, plan: Plan, unknown: Collection[str], settings: Settings, since: datetime | None
) -> list[datetime]:
    """The days of a plan for which every tracked coin was requested, in order, also where others were meant."""
    codes, now = set(plan.codes), datetime.now(timezone.utc)
    if plan.series.per_coin:
        with suppress(CoinsError):  # none is known to be tracked
            codes |= set(tracked_codes(db, settings, now))
    covered, unknown_now = read_covered(db, plan.series, settings.currency, sorted(codes), now, since)
    spans = {spans for code, spans in covered.items() if code not in unknown_now and code not in unknown}
    if not spans:
        return []
    missing = joined(gap for one in spans for gap in uncovered(plan.wanted, one))
    days = (plan.wanted.start + number * DAY for number in range(plan.wanted.length // DAY))
    return [day for day in days if all(gap.end <= day or gap.start >= day + DAY for gap in missing)]


def read_covered(
    db: DuckDBPyConnection,
    series: Series,
    currency: str,
    codes: Sequence[str],
    now: datetime,
    since: datetime | None = None,
) -> tuple[dict[str, Covered], set[str]]:
    """What was requested of each coin, ever or `since` then; and those that were unknown codes within a day."""
    covered: dict[str, list[Span]] = {code: [] for code in codes}
    parameters = {"series": series.name, "currency": currency, "first": FIRST, "now": now, "since": since or FIRST}
    for code, start, end in db.execute(_SQL.text("covered"), parameters).fetchall():
        if code in covered:
            covered[code].append(Span(start, end))
    rows = db.execute(
        "SELECT DISTINCT code FROM history.asked "
        "WHERE outcome = 'unknown_code' AND asked_at > ? AND asked_at <= ? AND currency = ?",
        [now - timedelta(days=1), now, currency],
    )
    unknown = {code for (code,) in rows.fetchall()} if series.per_coin else set()
    return {code: tuple(spans) for code, spans in covered.items()}, unknown & set(codes)
