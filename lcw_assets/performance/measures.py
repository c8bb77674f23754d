"""How fast a window of cycles was, and whether that is fast enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcw_assets.performance.sla import Sla, Target

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Path(__file__).parent / "sql"


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
    so many seconds; `timed` those that have a time at all, of which shares are shares.
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

    def shares(self, sla: Sla) -> dict[str, float | None]:
        """The share of each band; they add up to 1."""
        limits = [sla.bands.fast_s, sla.bands.normal_s, sla.bands.slow_s]
        counts = [0, *(self.within[limit] for limit in limits), self.timed]
        names = ("fast", "normal", "slow", "very_slow")
        sizes = [upper - lower for lower, upper in pairwise(counts)]
        return {name: size / self.timed if self.timed else None for name, size in zip(names, sizes, strict=True)}

    def value(self, target: Target) -> float | None:
        """What `target` limits; null if there is nothing to measure yet."""
        if target.measure == "complete":
            return self.complete / self.cycles if self.cycles else None
        if target.seconds is not None:
            within = self.within[target.seconds]
            wanted = within if target.measure == "share_within" else self.timed - within
            return wanted / self.timed if self.timed else None
        value: float | None = getattr(self, target.measure)
        return value


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured. Without cycles nothing is broken: `passed` is true and `value` is null."""

    target: Target
    value: float | None

    @property
    def passed(self) -> bool:
        return self.value is None or self.target.meets(self.value)

    def __str__(self) -> str:
        """Such as `p99 78.7 s, target under 45 s`."""
        return f"{self.target.name} {self.target.say(self.value)}, target {self.target.limit}"


def read_measures(db: DuckDBPyConnection, window: Window, limits: Sequence[float]) -> Measures:
    """`limits`, ascending, are the seconds that `within` counts at."""
    columns, [row] = query(db, "measures", {**window.parameters(), "limits": limits})
    values = dict(zip(columns, row, strict=True))
    median, p95, p99 = values.pop("quantiles") or (None, None, None)
    within = dict(zip(limits, values.pop("within"), strict=True))
    return Measures(**values, median_s=median, p95_s=p95, p99_s=p99, within=within)


def judge(targets: Sequence[Target], measures: Measures) -> Iterator[Verdict]:
    for target in targets:
        yield Verdict(target, measures.value(target))


def query(db: DuckDBPyConnection, name: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and rows of `sql/<name>.sql`."""
    found = db.execute(_text(name), parameters)
    return [column[0] for column in found.description or ()], found.fetchall()


@cache
def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text()
