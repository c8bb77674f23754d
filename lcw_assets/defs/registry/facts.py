"""How long each phase of a sync took, and its result: a row of `ops.syncs`, and a line for people."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lcw_assets.rounding import digits

Status = Literal["applied", "held", "older", "failed"]


@dataclass
class Phases:
    """Seconds of each phase so far. `api` is null if the process that fetched died before its end."""

    api: float | None = None
    load: float = 0.0
    process: float = 0.0
    write: float = 0.0
    checks: float = 0.0

    @contextmanager
    def of(self, name: Literal["load", "process", "write", "checks"]) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, name, getattr(self, name) + time.perf_counter() - started)

    @property
    def total(self) -> float:
        return (self.api or 0.0) + self.load + self.process + self.write + self.checks

    def __str__(self) -> str:
        """`sync 0.412 s: api 0.281, load 0.0121, process 0.0214, write 0.0405, checks 0.0570`."""
        parts = (f"{name} {digits(seconds)}" for name, seconds in vars(self).items() if seconds is not None)
        return f"sync {digits(self.total)} s: {', '.join(parts)}"


@dataclass(frozen=True)
class Changes:
    """What a response changed. `listed` were never seen before; `snapshots` are contracts whose market moved."""

    listed: int = 0
    relisted: int = 0
    delisted: int = 0
    status_changes: int = 0
    parameter_changes: int = 0
    snapshots: int = 0

    @property
    def events(self) -> int:
        """Rows of `registry.token_events`."""
        return self.listed + self.relisted + self.delisted + self.status_changes + self.parameter_changes

    @classmethod
    def count(cls, of: Counter[str], snapshots: int) -> Changes:
        """`of` counts by the names in `registry.token_events`."""
        return cls(
            of["listed"], of["relisted"], of["delisted"], of["status_changed"], of["parameter_changed"], snapshots
        )


@dataclass
class SyncResult:
    """The result of a sync. `lost_fields` are fields that no contract has any more."""

    status: Status
    reason: str | None = None
    observed_at: datetime | None = None
    contracts: int = 0
    missing: int = 0
    missing_digest: str | None = None
    changes: Changes = field(default_factory=Changes)
    lost_fields: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def sync_detail(result: SyncResult, phases: Phases) -> dict[str, Any]:
    """The detail of a sync in `ops.loads`; `ops.syncs` shows it as columns."""
    return {
        "status": result.status,
        "reason": result.reason,
        "sync_s": phases.total,
        **{f"{name}_s": seconds for name, seconds in vars(phases).items() if name != "api"},
        **vars(result.changes),
        "missing": result.missing,
        "missing_digest": result.missing_digest,
    }
