"""Bars and checkpoints, built from ticks as they come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

from lcw_assets.ingest.clock import DAY, midnight_of
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import one_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WIDTHS = (1, 5, 60, 1440)  # minutes; each is built from the one before

_SQL = Statements(__file__)
_APART = timedelta(hours=6)

# A cycle that waited in the spool may bring ticks that are older than others in the table. So recent bars are built
# again each time; a checkpoint is made once, so it waits as long.
_OVERLAP = timedelta(hours=1)


Connect = Callable[[], "AbstractContextManager[DuckDBPyConnection]"]


@dataclass(frozen=True)
class Built:
    """`since` when bars were built again (null: there is no tick yet), how many there are, and new checkpoints."""

    since: datetime | None
    bars: int = 0
    checkpoints: int = 0


def build(connect: Connect, now: datetime | None = None) -> Built:
    """Bring `market.coin_bars` and `market.coin_checkpoints` up to date.

    Ticks later than `now` were written by a clock that was ahead, and are ignored.

    Each day has its own connection and transaction, so that cycles can store in between, even while years are built.
    """
    with connect() as db:
        until = [now or datetime.now(timezone.utc)]
        ticks = "SELECT min(observed_at), max(observed_at) FROM market.coin_ticks WHERE observed_at <= ?"
        first, last = one_row(db, ticks, until)
        if last is None:
            return Built(None)
        [built] = one_row(db, "SELECT max(bucket) FROM market.coin_bars WHERE minutes = 1 AND bucket <= ?", until)
        [newest] = one_row(db, "SELECT max(checkpoint_at) FROM market.coin_checkpoints WHERE checkpoint_at <= ?", until)
    since = max(midnight_of(first), (built or first) - _OVERLAP).replace(second=0, microsecond=0)
    start, moment = since, _floor(newest or first, _APART) + _APART
    checkpoints = 0
    while start <= last or moment + _OVERLAP <= last:
        end = midnight_of(min(start, moment)) + DAY
        with connect() as db, transaction(db):
            while moment + _OVERLAP <= last and moment < end:
                _run(db, "checkpoint", {"moment": moment})
                moment, checkpoints = moment + _APART, checkpoints + 1
            if start < end and start <= last:
                _build_bars(db, start, end)
                start = end
        if moment + _OVERLAP > last:
            moment = max(moment, end)
        if start > last:
            start = max(start, end)
    with connect() as db:
        [bars] = one_row(db, "SELECT count(*) FROM market.coin_bars")
    return Built(since, bars, checkpoints)


def _build_bars(db: DuckDBPyConnection, start: datetime, end: datetime) -> None:
    _run(db, "bars", {"since": start, "until": end})
    for narrower, width in pairwise(WIDTHS):
        span = {"since": _floor(start, timedelta(minutes=width)), "until": end}
        _run(db, "wider_bars", {"minutes": width, "from_minutes": narrower, **span})


def _run(db: DuckDBPyConnection, file: str, parameters: dict[str, object]) -> None:
    for statement in _SQL.each(file):
        names = [name for name in parameters if f"${name}" in statement]
        if names:
            db.execute(statement, {name: parameters[name] for name in names})


def _floor(moment: datetime, to: timedelta) -> datetime:
    return midnight_of(moment) + (moment - midnight_of(moment)) // to * to
