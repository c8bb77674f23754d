"""What traders want to know within a minute: contracts that were listed or delisted. Each is reported once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from lcw_assets import escape
from lcw_assets.alerts.incidents import Alert

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def read_news(db: DuckDBPyConnection, sync_id: str, observed_at: datetime) -> dict[str, list[str]]:
    """The names that a sync listed, relisted and delisted. None for the first sync: everything was new to it."""
    first = db.execute(
        "SELECT 1 FROM ops.syncs WHERE status = 'applied' AND contracts > 0 AND observed_at < ? LIMIT 1", [observed_at]
    ).fetchone()
    if first is None:
        return {}
    rows = db.execute(
        "SELECT event, list(symbol) FROM registry.token_events "
        "WHERE observed_at = ? AND sync_id = ? AND event IN ('listed', 'relisted', 'delisted') GROUP BY event",
        [observed_at, sync_id],
    ).fetchall()
    return dict(rows)


def alerts(news: Mapping[str, Collection[str]], observed_at: datetime, run_id: str) -> list[Alert]:
    """One alert for listings, one for delistings. Always the same ones for the same sync."""
    listed = [
        (f"{len(names)} {word}: {escape.some(sorted(names))}")
        for word, names in (("listed", news.get("listed", ())), ("back", news.get("relisted", ())))
        if names
    ]
    gone = news.get("delisted", ())
    texts = {
        "listing": "; ".join(listed),
        "delisting": f"{len(gone)} delisted: {escape.some(sorted(gone))}" if gone else "",
    }
    return [
        Alert(
            incident=f"KuCoin futures {what}",
            kind="news",
            severity="warning",
            raised_at=observed_at,
            since=observed_at,
            what=text,
            cause=None,
            run_id=run_id,
        )
        for what, text in texts.items()
        if text
    ]


def not_stored(db: DuckDBPyConnection, raised: Collection[Alert]) -> list[Alert]:
    """Those that `ops.alerts` does not have: a process may have died between delivering and storing them."""
    ids = [alert.alert_id for alert in raised]
    known = db.execute("SELECT alert_id FROM ops.alerts WHERE list_contains(?::VARCHAR[], alert_id)", [ids]).fetchall()
    return [alert for alert in raised if (alert.alert_id,) not in known]
