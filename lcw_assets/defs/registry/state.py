"""The state of the registry after a sync, for its checks and metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lcw_assets import escape
from lcw_assets.defs.registry.statements import text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class RegistryState:
    """How many contracts are active, listed at all, new; rows of the tables of events and of syncs."""

    active: int
    listed: int
    new: int
    events: int
    syncs: int
    newest_listings: Sequence[tuple[Any, ...]]

    def newest_markdown(self) -> str:
        lines = ["| symbol | status | listed | mark price | leverage |", "|---|---|---|---:|---:|"]
        lines += [
            f"| {escape.cell(symbol)} | {escape.cell(status)} | {listed_at:%Y-%m-%d %H:%M} | {_number(mark)} | "
            f"{_number(leverage)} |"
            for symbol, status, listed_at, mark, leverage in self.newest_listings
        ]
        return "\n".join(lines) if self.newest_listings else "No contract is listed."


def read_state(db: DuckDBPyConnection) -> RegistryState:
    """Called just before the row of the sync is written, which is counted already."""
    found = db.execute(text("state"))
    names = [column[0] for column in found.description or ()]
    counts = dict(zip(names, found.fetchone() or (), strict=True))
    counts["syncs"] += 1
    return RegistryState(**counts, newest_listings=db.execute(text("newest")).fetchall())


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"
