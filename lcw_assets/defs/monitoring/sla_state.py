"""How the latest cycle, the last hour and the last 72 hours stand to the SLA: what the checks of each cycle say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.monitoring.sla import CheckName, Sla, Target
from lcw_assets.defs.monitoring.slow import read_failures, read_slowest, read_usual
from lcw_assets.defs.monitoring.verdicts import Verdict, judge
from lcw_assets.ingest.measures import Measures, Window, read_measures
from lcw_assets.rounding import seconds

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class WindowState:
    """A window's verdicts. `cause`, in words, is looked up only where one of them is a breach."""

    measures: Measures
    verdicts: Sequence[Verdict]
    cause: str | None


@dataclass(frozen=True)
class SlaState:
    """`cycle_s` of the latest cycle (seconds), why if that is too much, and each window by the name of its check."""

    cycle_s: float
    cause: str | None
    windows: Mapping[CheckName, WindowState]


def read_sla_state(db: DuckDBPyConnection, cycle: Mapping[str, Any], sla: Sla) -> SlaState:
    """`cycle` is a row of `ops.loads`, already stored. Takes 10 ms; where something is wrong, 30."""
    now: datetime = cycle["committed_at"]
    started_at: datetime = cycle["started_at"]
    windows: dict[CheckName, WindowState] = {
        "sla_1h": _window(db, Window.before(now, 1), sla.checks.sla_1h, sla),
        "sla_72h": _window(db, Window.before(now, 72), sla.checks.sla_72h, sla),
    }
    cause = None
    if cycle["load_s"] > sla.checks.cycle_warn_s:
        own = Window(started_at, started_at + timedelta(microseconds=1))
        usual = read_usual(db, Window(now - timedelta(hours=1), started_at))
        slow = read_slowest(db, own, over_s=sla.checks.cycle_warn_s, most=1, usual=usual)
        cause = slow[0].cause if slow else None
    return SlaState(cycle["load_s"], cause, windows)


def _window(db: DuckDBPyConnection, window: Window, targets: Sequence[Target], sla: Sla) -> WindowState:
    measures = read_measures(db, window, sla.seconds())
    verdicts = list(judge(targets, measures))
    broken = {verdict.target.measure for verdict in verdicts if not verdict.passed}
    causes = []
    if broken & {"complete", "error_rate"}:
        causes += read_failures(db, window)
    if broken - {"complete", "error_rate"}:
        slowest = read_slowest(db, window, over_s=0.0, most=1, usual=read_usual(db, window))
        causes += [f"the slowest, {cycle.cycle_id} with {seconds(cycle.cycle_s)}: {cycle.cause}" for cycle in slowest]
    return WindowState(measures, verdicts, "; ".join(causes) or None)
