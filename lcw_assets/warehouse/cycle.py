"""What is known of one fetch cycle before it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Cycle:
    """A cycle as it begins to pull.

    `clock_started_at` is where its time counts from: the tick, or for a manual run and a late tick the run's creation.
    `queue_s` and `start_s` are seconds from there until the process existed, and from then until `started_at`.
    """

    cycle_id: str
    run_id: str
    scheduled_at: datetime | None
    clock_started_at: datetime
    started_at: datetime
    queue_s: float
    start_s: float
    late_tick: bool
    source: str
    currency: str

    def to_row(self) -> dict[str, Any]:
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(self).items()}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Cycle:
        dates = ("scheduled_at", "clock_started_at", "started_at")
        return cls(**{**row, **{name: datetime.fromisoformat(row[name]) for name in dates if row[name]}})


@dataclass(frozen=True)
class PullEnd:
    """How a pull ended. `missing` says of each call that brought nothing what it was and why."""

    ended_at: datetime
    pull_s: float
    missing: list[str]

    def to_row(self) -> dict[str, Any]:
        return vars(self) | {"ended_at": self.ended_at.isoformat()}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> PullEnd:
        return cls(**{**row, "ended_at": datetime.fromisoformat(row["ended_at"])})
