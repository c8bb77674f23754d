"""Minutes without a cycle, and ticks of the schedule that started none: no fact of a cycle can show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lcw_assets.defs.monitoring import SQL
from lcw_assets.ingest.measures import Window
from lcw_assets.warehouse.tables import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MINUTE = timedelta(minutes=1)

# A cycle that began later may still be running, or about to be stored.
_STILL_RUNNING = timedelta(minutes=2)


@dataclass(frozen=True)
class Tick:
    """A tick of the schedule that started no run: skipped, or else failed. `reason` is without run ids and times."""

    due_at: datetime
    skipped: bool
    reason: str


@dataclass(frozen=True)
class Schedule:
    """Facts about cycles that no table has, as of `now`: ticks that started none, and when the spooled ones began.
    Dagster has deleted the ticks before `ticks_since`; null: none.
    """

    now: datetime
    ticks: Sequence[Tick] = ()
    ticks_since: datetime | None = None
    spooled: Sequence[datetime] = ()


@dataclass(frozen=True)
class Idle:
    """`examined` minutes, of which each is in `stretches` (the longest first) if it had no cycle; and the ticks since
    then. A tick that was skipped for a cycle that ran is of a minute that had one.
    """

    examined: int
    stretches: Sequence[Window]
    ticks: Sequence[Tick]
    ticks_known: bool = True

    @property
    def minutes(self) -> int:
        return sum(stretch.length // _MINUTE for stretch in self.stretches)

    @property
    def skipped(self) -> Sequence[Tick]:
        return [tick for tick in self.ticks if tick.skipped]

    @property
    def failed(self) -> Sequence[Tick]:
        return [tick for tick in self.ticks if not tick.skipped]

    @property
    def skipped_for_a_cycle(self) -> int:
        """Of the skipped ticks, those whose minute had a cycle all the same."""
        idle = {one.start + n * _MINUTE for one in self.stretches for n in range(one.length // _MINUTE)}
        return sum(_minute(tick.due_at) not in idle for tick in self.skipped)


def most_common_reason(ticks: Sequence[Tick]) -> str:
    """Such as `a run of fetch_cycle was STARTED (8 times)`; empty without any tick."""
    for reason, times in Counter(tick.reason for tick in ticks).most_common(1):
        return f"{reason} ({times:,} {'time' if times == 1 else 'times'})"
    return ""


def read_idle(db: DuckDBPyConnection, window: Window, schedule: Schedule) -> Idle:
    """In a young database only from its first cycle on: none was due before."""
    [first] = one_row(db, "SELECT min(started_at) FROM ops.cycles")
    start = _next_minute(max(window.start, first)) if first else window.end
    examined = Window(start, max(start, _minute(min(window.end, schedule.now - _STILL_RUNNING))))
    rows = db.execute(SQL.text("idle"), {**examined.parameters(), "spooled": list(schedule.spooled)}).fetchall()
    since = schedule.ticks_since
    return Idle(
        examined=examined.length // _MINUTE,
        stretches=[Window(begin, end) for begin, end, _ in rows],
        ticks=[tick for tick in schedule.ticks if start <= tick.due_at < window.end],
        ticks_known=since is None or since < window.end,
    )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _next_minute(moment: datetime) -> datetime:
    minute = _minute(moment)
    return minute if minute == moment else minute + _MINUTE
