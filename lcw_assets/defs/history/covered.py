"""What is known before a backfill: what was asked, which series were begun, which coins are the largest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lcw_assets.defs.history.plan import Covered, Span
from lcw_assets.defs.history.series import FIRST, Series
from lcw_assets.warehouse.statements import Statements

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)


def read_covered(
    db: DuckDBPyConnection,
    series: Series,
    currency: str,
    codes: Sequence[str],
    now: datetime,
    since: datetime | None = None,
) -> tuple[dict[str, Covered], set[str]]:
    """What was asked of each coin, ever or `since` then; and those that Live Coin Watch did not know within a day."""
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


def read_top(db: DuckDBPyConnection, currency: str, now: datetime, most: int) -> list[str]:
    """The largest coins that the newest cycles have seen. (What is from the future, a wrong clock has written.)"""
    rows = db.execute(
        "SELECT code FROM market.current_coins WHERE currency = $currency AND observed_at > (SELECT max(observed_at) "
        "FROM market.coins WHERE currency = $currency AND observed_at <= $now) - INTERVAL 1 HOUR "
        "ORDER BY rank, observed_at DESC LIMIT $most",
        {"currency": currency, "most": most, "now": now},
    )
    return list(dict.fromkeys(code for (code,) in rows.fetchall()))


def read_begun(db: DuckDBPyConnection, series: Series, currency: str) -> dict[str, datetime]:
    """Since when each coin's series is kept: its first window that was asked for as such, and not to fill a gap."""
    rows = db.execute(
        "SELECT code, min(window_start) FROM history.asked "
        "WHERE series = ? AND currency = ? AND begins AND outcome IN ('points', 'coarse', 'empty') GROUP BY code",
        [series.name, currency],
    )
    return dict(rows.fetchall())
