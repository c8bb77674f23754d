"""The latest cycle, the last hour and the last 72 hours against the SLA: what the checks of each cycle report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.monitoring.codes import Cause, Code
from lcw_assets.defs.monitoring.sla import CheckName, Sla, judge
from lcw_assets.defs.monitoring.slow import read_failures, read_slowest, read_usual
from lcw_assets.ingest.measures import Window, read_measures
from lcw_assets.rounding import rounded, seconds

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class CheckState:
    """A check with its numbers, in words and by name; `causes` are read only where it failed."""

    name: CheckName
    measured: str
    passed: bool
    error: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
    causes: Sequence[Cause] = ()


SlaState = Sequence[CheckState]


def read_sla_state(db: DuckDBPyConnection, cycle: Mapping[str, Any], sla: Sla) -> SlaState:
    """`cycle` is a row of `ops.cycles`, already stored. Takes 10 ms, or 30 if a target is missed."""
    now: datetime = cycle["committed_at"]
    return [_cycle(db, cycle, sla), _window(db, "sla_1h", Window.before(now, 1), sla),
            _window(db, "sla_72h", Window.before(now, 72), sla)]  # fmt: skip


def _cycle(db: DuckDBPyConnection, cycle: Mapping[str, Any], sla: Sla) -> CheckState:
    started_at, cycle_s, limits = cycle["started_at"], cycle["load_s"], sla.checks
    passed, error = cycle_s <= limits.cycle_warn_s, cycle_s > limits.cycle_error_s
    measured = f"{seconds(cycle_s)}, target at most {limits.cycle_warn_s:g} s"
    measured += f", and an error over {limits.cycle_error_s:g} s" if error else ""
    causes: list[Cause] = []
    if not passed:
        usual = read_usual(db, Window(cycle["committed_at"] - timedelta(hours=1), started_at))
        own = Window(started_at, started_at + timedelta(microseconds=1))
        causes = [slow.cause for slow in read_slowest(db, own, over_s=limits.cycle_warn_s, most=1, usual=usual)]
    return CheckState("cycle_time", measured, passed, error, {"cycle_s": rounded(cycle_s)}, causes)


def _window(db: DuckDBPyConnection, name: CheckName, window: Window, sla: Sla) -> CheckState:
    measures = read_measures(db, window, sla.seconds())
    verdicts = list(judge(getattr(sla.checks, name), measures))
    failed = [verdict for verdict in verdicts if not verdict.passed]
    broken = {verdict.target.measure for verdict in failed}
    causes: list[Cause] = []
    if broken & {"complete", "error_rate"} and (failures := read_failures(db, window)):
        causes.append(failures)
    if broken - {"complete", "error_rate"}:
        for slow in read_slowest(db, window, over_s=0.0, most=1, usual=read_usual(db, window)):
            fields = {"cycle_id": slow.cycle_id, "cycle_s": slow.cycle_s, "cause": slow.cause}
            causes.append(Cause(Code.slowest_cycle, fields))
    measured = f"{measures.cycles:,} cycles: " + "; ".join(map(str, failed or verdicts))
    known = {verdict.target.name: rounded(verdict.value) for verdict in verdicts if verdict.value is not None}
    # Only an error blocks.
    error = name in sla.checks.blocking
    return CheckState(name, measured, not failed, error, {"cycles": measures.cycles, **known}, causes)
