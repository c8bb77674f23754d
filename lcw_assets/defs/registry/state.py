"""How the registry is after a sync: what its checks and its metadata say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets import escape
from lcw_assets.defs.registry.statements import text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class RegistryState:
    """Rows of each table, and of tokens: how many are too many for their names, active, listed at all, new.

    `recent` and `failed` are syncs of the last hour. `newest` is when a contract was last seen.
    """

    tokens: int
    duplicates: int
    active: int
    listed: int
    new: int
    newest: datetime | None
    events: int
    snapshots: int
    syncs: int
    recent: int
    failed: int
    newest_listings: Sequence[tuple[Any, ...]]

    def newest_markdown(self) -> str:
        lines = ["| symbol | status | listed | mark price | leverage |", "|---|---|---|---:|---:|"]
        lines += [
            f"| {escape.cell(symbol)} | {escape.cell(status)} | {listed_at:%Y-%m-%d %H:%M} | {_number(mark)} | "
            f"{_number(leverage)} |"
            for symbol, status, listed_at, mark, leverage in self.newest_listings
        ]
        return "\n".join(lines) if self.newest_listings else "No contract is listed."


def read_state(db: DuckDBPyConnection, now: datetime, *, failed: bool) -> RegistryState:
    """Called before the row of the sync that looks is written: that it `failed`, it says itself."""
    db.execute("SET VARIABLE hour_before = ?", [now - _HOUR])
    found = db.execute(text("state"))
    names = [column[0] for column in found.description or ()]
    counts = dict(zip(names, found.fetchone() or (), strict=True))
    counts["syncs"] += 1
    counts["recent"] += 1
    counts["failed"] += failed
    return RegistryState(**counts, newest_listings=db.execute(text("newest")).fetchall())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"
