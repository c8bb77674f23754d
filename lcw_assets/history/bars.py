"""Bars and checkpoints, built from ticks as they come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lcw_assets.warehouse.tables import one_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WIDTHS = (1, 5, 60, 1440)  # minutes; each is built from the one before

_SQL = Path(__file__).parent / "sql"
_DAY = timedelta(days=1)
_APART = timedelta(hours=6)

# A cycle that waited in the spool may bring ticks that are older than others in the table. What is built again each
# time covers them; a checkpoint is made once, so it waits as long.
_OVERLAP = timedelta(hours=1)


@dataclass(frozen=True)
class Built:
    """`since` when bars were built again (null: there is no tick yet), how many there are, and new checkpoints."""

    since: datetime | None
    bars: int = 0
    checkpoints: int = 0


def build(db: DuckDBPyConnection) -> Built:
    """Bring `market.coin_bars` and `market.coin_checkpoints` up to date, a day a transaction."""
    first, last = one_row(db, "SELECT min(observed_at), max(observed_at) FROM market.coin_ticks")
    if last is None:
        return Built(None)
    checkpoints = _checkpoint(db, first, last)
    [built] = one_row(db, "SELECT max(bucket) FROM market.coin_bars WHERE minutes = 1")
    since = start = max(_floor(first, _DAY), (built or first) - _OVERLAP).replace(second=0, microsecond=0)
    while start <= last:
        end = _floor(start, _DAY) + _DAY
        with transaction(db):
            _run(db, "bars", {"since": start, "until": end})
            for narrower, width in pairwise(WIDTHS):
                span = {"since": _floor(start, timedelta(minutes=width)), "until": end}
                _run(db, "wider_bars", {"minutes": width, "from_minutes": narrower, **span})
        start = end
    [bars] = one_row(db, "SELECT count(*) FROM market.coin_bars")
    return Built(since, bars, checkpoints)


def _checkpoint(db: DuckDBPyConnection, first: datetime, last: datetime) -> int:
    [newest] = one_row(db, "SELECT max(checkpoint_at) FROM market.coin_checkpoints")
    moment, made = _floor(newest or first, _APART) + _APART, 0
    while moment + _OVERLAP <= last:
        db.execute(
            "INSERT INTO market.coin_checkpoints BY NAME "
            "SELECT $moment AS checkpoint_at, * FROM market.as_of($moment::TIMESTAMPTZ)",
            {"moment": moment},
        )
        moment, made = moment + _APART, made + 1
    return made


def _run(db: DuckDBPyConnection, file: str, parameters: dict[str, object]) -> None:
    for statement in (_SQL / f"{file}.sql").read_text().split(";\n"):
        names = [name for name in parameters if f"${name}" in statement]
        if names:
            db.execute(statement, {name: parameters[name] for name in names})


def _floor(moment: datetime, to: timedelta) -> datetime:
    """`moment` is in UTC, as all of the database is."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // to * to
