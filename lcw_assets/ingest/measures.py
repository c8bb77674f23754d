"""How fast a window of cycles was, from its facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets.warehouse.statements import Statements

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)


@dataclass(frozen=True)
class Window:
    """From `start` to before `end`, both in UTC."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, end: datetime, hours: float) -> Window:
        return cls(end - timedelta(hours=hours), end)

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def previous(self) -> Window:
        """As long a window, just before this one."""
        return Window(self.start - self.length, self.start)

    def parameters(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True)
class Measures:
    """The cycles that began in a window. Seconds from tick to commit, null where no cycle has a usable time.

    Quantiles are interpolated linearly between the two nearest cycles. `within` counts the cycles that took at most
    so many seconds; `timed` those that have a time at all. Shares are shares of `timed`.
    """

    cycles: int
    complete: int
    partial: int
    failed: int
    timed: int
    mean_s: float | None
    median_s: float | None
    fastest_s: float | None
    slowest_s: float | None
    p95_s: float | None
    p99_s: float | None
    within: Mapping[float, int]
    calls: int
    failed_calls: int

    @property
    def untimed(self) -> int:
        return self.cycles - self.timed

    @property
    def error_rate(self) -> float | None:
        return self.failed_calls / self.calls if self.calls else None


def read_measures(db: DuckDBPyConnection, window: Window, limits: Sequence[float]) -> Measures:
    """`limits`, ascending, are the seconds that `within` counts at."""
    [values] = _SQL.rows(db, "measures", {**window.parameters(), "limits": limits})
    median, p95, p99 = values.pop("quantiles") or (None, None, None)
    within = dict(zip(limits, values.pop("within"), strict=True))
    return Measures(**values, median_s=median, p95_s=p95, p99_s=p99, within=within)
