"""What is missing: minutes without a cycle, days of history that were not asked for, coins that stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from lcw_assets.defs.history.covered import read_begun, read_covered
from lcw_assets.defs.history.plan import Covered, Span, uncovered, windows
from lcw_assets.defs.history.series import FINAL_AFTER, SERIES, Series
from lcw_assets.ingest.clock import DAY, midnight_of
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import append, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)

# Minutes without a cycle are looked for so far back. History of five minutes can still be had for them.
_BACK = timedelta(days=7)
_STOPPED_AFTER = timedelta(hours=1)

Kind = Literal["minutes", "history", "coin"]


@dataclass(frozen=True)
class Gap:
    """A row of `ops.gaps`. `calls` would fill it; 0 where nothing can, or nothing has to."""

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
        found += _history_gaps(series, covered, read_begun(db, series, currency), today)
    found += _stopped(db, currency, now)
    return sorted(found, key=lambda gap: (gap.kind, gap.span.end), reverse=True)


def store_gaps(db: DuckDBPyConnection, gaps: Sequence[Gap], now: datetime) -> None:
    """Replace what the table says."""
    rows: list[dict[str, Any]] = [
        {
            "kind": gap.kind,
            "subject": gap.subject,
            "gap_start": gap.span.start.isoformat(),
            "gap_end": gap.span.end.isoformat(),
            "missing": gap.missing,
            "calls": gap.calls,
            "detail": gap.detail,
            "found_at": now.isoformat(),
        }
        for gap in gaps
    ]
    with transaction(db):
        db.execute("DELETE FROM ops.gaps")
        append(db, "ops.gaps", rows)


def _history_gaps(
    series: Series, covered: Mapping[str, Covered], begun: Mapping[str, datetime], today: datetime
) -> Iterator[Gap]:
    """Days that were not asked for, of coins whose history was begun: from their first day on."""
    missing = {
        code: list(uncovered(Span(begun[code], today), spans))
        for code, spans in covered.items()
        if code in begun and begun[code] < today
    }
    for stretch in _joined(span for spans in missing.values() for span in spans):
        touched = {
            code: [span for span in spans if span.start < stretch.end and span.end > stretch.start]
            for code, spans in missing.items()
        }
        coins = sum(bool(spans) for spans in touched.values())
        days = sum(-(-span.length // DAY) for spans in touched.values() for span in spans)
        calls = sum(_calls(series, stretch, covered[code], today) for code, spans in touched.items() if spans)
        detail = f"{days} days of {coins} coins" if series.per_coin else f"{days} days"
        yield Gap("history", series.table, stretch, days, detail, calls)


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
    return sum(1 for _ in windows(wanted, covered, series.window, horizon)) if wanted.start < wanted.end else 0


def _joined(spans: Iterator[Span]) -> Iterator[Span]:
    """The stretches that these cover together, ascending."""
    current: Span | None = None
    for span in sorted(spans):
        if current is None or span.start > current.end:
            if current is not None:
                yield current
            current = span
        else:
            current = Span(current.start, max(current.end, span.end))
    if current is not None:
        yield current


def _day_after(moment: datetime) -> datetime:
    midnight = midnight_of(moment)
    return midnight if midnight == moment else midnight + DAY
