"""What is missing: minutes without a cycle, days of history that were not requested, coins that stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from lcw_assets import escape
from lcw_assets.defs.history.plan import Covered, Plan, Span, count_windows, joined, uncovered
from lcw_assets.defs.history.planning import make_plan, read_covered
from lcw_assets.defs.history.series import FINAL_AFTER, SERIES, Series
from lcw_assets.ingest.clock import DAY, midnight_of
from lcw_assets.instruments.tracked import CoinsError, tracked_codes
from lcw_assets.settings import Settings
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import WarehouseError
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import append, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)

# Errors whose text is enough.
ERRORS = (WarehouseError, CoinsError, duckdb.Error)

# How far back minutes without a cycle are searched. The API still has history of five minutes for them.
_BACK = timedelta(days=7)
_STOPPED_AFTER = timedelta(hours=1)

Kind = Literal["minutes", "history", "coin"]


@dataclass(frozen=True)
class Gap:
    """A row of `ops.gaps`. `calls` would fill it; 0 if nothing can, or nothing has to."""

    kind: Kind
    subject: str
    span: Span
    missing: int
    detail: str
    calls: int = 0


def find_gaps(db: DuckDBPyConnection, codes: Sequence[str], currency: str, now: datetime) -> list[Gap]:
    """Every gap as of `now`, for these tracked coins, the newest of each kind first."""
    today = midnight_of(now - FINAL_AFTER)
    found: list[Gap] = []
    fine = read_covered(db, SERIES["coin_5min"], currency, codes, now)[0]
    rows = db.execute(_SQL.text("minute_gaps"), {"since": now - _BACK, "now": now}).fetchall()
    for start, end, missing in rows:
        days = Span(midnight_of(start), min(_day_after(end), today))
        calls = sum(_calls(SERIES["coin_5min"], days, spans, today) for spans in fine.values()) if missing >= 10 else 0
        found.append(Gap("minutes", "fetch_cycle", Span(start, end), missing, f"{missing} minutes", calls))
    for series in SERIES.values():
        covered, _ = read_covered(db, series, currency, codes if series.per_coin else [""], now)
        found += _history_gaps(db, series, covered, currency, today)
    found += _stopped(db, currency, now)
    return sorted(found, key=lambda gap: (gap.kind, gap.span.end), reverse=True)


def find_tracked_gaps(
    db: DuckDBPyConnection, settings: Settings, now: datetime, warn: Callable[[str], None]
) -> list[Gap]:
    try:
        codes = tracked_codes(db, settings, now)
    except CoinsError as error:
        warn(f"gaps of coins are not looked for: {error}")
        codes = []
    return find_gaps(db, codes, settings.currency, now)


def as_markdown(gaps: Sequence[Gap]) -> str:
    """The first twenty."""
    lines = ["| what | from | to | |", "|---|---|---|---|"]
    for gap in gaps[:20]:
        span = f"{gap.span.start:%Y-%m-%d %H:%M} | {gap.span.end:%Y-%m-%d %H:%M}"
        lines.append(f"| {escape.cell(gap.subject)} | {span} | {escape.cell(gap.detail)} |")
    return "\n".join(lines) if gaps else "Nothing is missing."


def store_gaps(db: DuckDBPyConnection, gaps: Sequence[Gap], now: datetime) -> None:
    """Replace the rows of the table."""
    rows: list[dict[str, Any]] = [
        {name: value for name, value in vars(gap).items() if name != "span"}
        | {"gap_start": gap.span.start.isoformat(), "gap_end": gap.span.end.isoformat(), "found_at": now.isoformat()}
        for gap in gaps
    ]
    with transaction(db):
        db.execute("DELETE FROM ops.gaps")
        append(db, "ops.gaps", rows)


def _history_gaps(
    db: DuckDBPyConnection, series: Series, covered: Mapping[str, Covered], currency: str, today: datetime
) -> Iterator[Gap]:
    """Days that were not requested, of coins whose history was begun: from their first day on."""
    begun = _begun(db, series, currency)
    missing = {
        code: list(uncovered(Span(begun[code], today), spans))
        for code, spans in covered.items()
        if code in begun and begun[code] < today
    }
    for stretch in joined(span for spans in missing.values() for span in spans):
        touched = {
            code: [span for span in spans if span.start < stretch.end and span.end > stretch.start]
            for code, spans in missing.items()
        }
        coins = sum(bool(spans) for spans in touched.values())
        days = sum(-(-span.length // DAY) for spans in touched.values() for span in spans)
        calls = sum(_calls(series, stretch, covered[code], today) for code, spans in touched.items() if spans)
        detail = f"{days} days of {coins} coins" if series.per_coin else f"{days} days"
        yield Gap("history", series.table, stretch, days, detail, calls)


def _begun(db: DuckDBPyConnection, series: Series, currency: str) -> dict[str, datetime]:
    """The beginning of each coin's series: its first window that was not requested to fill a gap."""
    rows = db.execute(
        "SELECT code, min(window_start) FROM history.asked "
        "WHERE series = ? AND currency = ? AND begins AND outcome IN ('points', 'coarse', 'empty') GROUP BY code",
        [series.name, currency],
    )
    return dict(rows.fetchall())


def _stopped(db: DuckDBPyConnection, currency: str, now: datetime) -> Iterator[Gap]:
    rows = db.execute(
        "SELECT code, observed_at, newest, rank "
        "FROM market.coins, (SELECT max(observed_at) AS newest FROM market.coins WHERE observed_at <= $now) "
        "WHERE currency = $currency AND observed_at < newest - $after ORDER BY rank",
        {"currency": currency, "after": _STOPPED_AFTER, "now": now},
    ).fetchall()
    for code, since, newest, rank in rows:
        minutes = (newest - since) // timedelta(minutes=1)
        detail = f"last seen at rank {rank}: delisted, or not among the coins that a cycle asks for any more"
        yield Gap("coin", code, Span(since, newest), minutes, detail)


def _calls(series: Series, wanted: Span, covered: Covered, horizon: datetime) -> int:
    return count_windows(wanted, covered, series.window, horizon) if wanted.start < wanted.end else 0


def _day_after(moment: datetime) -> datetime:
    midnight = midnight_of(moment)
    return midnight if midnight == moment else midnight + DAY


@dataclass(frozen=True)
class Fill:
    """Days to fill, from the first to the last, the cost, and the configuration of the run."""

    series: str
    days: tuple[str, str]
    calls: int
    config: Mapping[str, Any]


def next_fill(settings: Settings, now: datetime, left: int, tried: Collection[tuple[str, ...]]) -> Fill | None:
    """Of the newest gap that was not `tried` today, as many of its newest days as `left` credits buy. If not even
    one day, as many coins of the newest.
    """
    if left <= 0:
        return None
    horizon = midnight_of(now - FINAL_AFTER)
    tables = {series.table: series for series in SERIES.values()}
    with open_database(settings.database, read_only=True, lock_wait_s=0.5) as db:
        rows = db.execute(
            "SELECT kind, subject, gap_start, gap_end FROM ops.gaps WHERE calls > 0 ORDER BY gap_end DESC, subject"
        ).fetchall()
        for kind, subject, start, end in rows:
            series = tables[subject] if kind == "history" else SERIES["coin_5min"]
            after = min(_day_after(end), horizon)
            days = (after - midnight_of(start)) // DAY
            while days >= 1:
                plan = make_plan(db, series, settings, Span(after - days * DAY, after), now)
                if plan.calls <= left or days == 1:
                    break
                days //= 2
            else:
                continue
            coins = None if plan.calls <= left else _affordable(plan, left)
            calls = sum(map(plan.calls_for, plan.codes if coins is None else coins))
            span = f"{after - days * DAY:%Y-%m-%d}", f"{after - DAY:%Y-%m-%d}"
            if calls and (series.name, *span) not in tried:
                config = {"begins": kind == "history"} | ({"coins": " ".join(coins)} if coins else {})
                return Fill(series.name, span, calls, config)
    return None


def _affordable(plan: Plan, left: int) -> list[str]:
    """As many of the coins as `left` credits are enough for."""
    coins = []
    for code in plan.codes:
        calls = plan.calls_for(code)
        if calls and calls <= left:
            coins.append(code)
            left -= calls
    return coins
