"""Why a cycle was slow, from its own facts. What the facts only suggest is called likely."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from lcw_assets.defs.monitoring.codes import Cause, Code, Failure
from lcw_assets.defs.monitoring.machine import Machine, Pressure, pressure
from lcw_assets.transport.facts import TOO_MANY
from lcw_assets.warehouse.errors import Holder

# In the order they happen. They add up to `cycle_s`.
PHASES = ("queue_s", "start_s", "pull_s", "handover_s", "lock_wait_s", "store_s")


@dataclass(frozen=True)
class CallFact:
    """One attempt, from `ops.calls` or from the spool of a cycle that still runs."""

    endpoint: str
    request: Mapping[str, Any]
    attempt: int
    waited_s: float
    latency_s: float
    http_status: int | None
    outcome: str
    hedge: bool = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> CallFact:
        request = row["request"]
        if isinstance(request, str):
            request = json.loads(request)
        values = {name: row[name] for name in cls.__annotations__ if name in row}
        return cls(**{**values, "request": request if isinstance(request, dict) else {}})

    @property
    def label(self) -> str:
        return call_label(vars(self))

    @property
    def failure(self) -> Failure:
        return Failure(self.outcome, self.http_status)


def call_label(row: Mapping[str, Any]) -> str:
    """Such as `coins/list offset 600`, from a row with an endpoint and a request."""
    offset = row["request"].get("offset")
    return str(row["endpoint"]) if offset is None else f"{row['endpoint']} offset {offset}"


@dataclass(frozen=True)
class LockWaitFact:
    """A row of `ops.lock_waits`: `opened` is false where the cycle gave up and stayed in the spool."""

    waited_s: float
    holder: str | None
    pid: int | None
    opened: bool


@dataclass(frozen=True)
class Usual:
    """The reference for a cycle: the `least` seconds that each phase took in a window, and the median machine."""

    least: Mapping[str, float | None] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)


def explain(
    phases: Mapping[str, float | None],
    calls: Sequence[CallFact],
    usual: Usual,
    machine: Machine | None = None,
    lock_waits: Sequence[LockWaitFact] = (),
) -> Cause:
    """The phase that took most over the least it can take, what delayed it, and whether the machine was busy.

    Not over its median: if most cycles are slow, that is slow as well.
    """
    busy = pressure(machine, usual.machine) if machine else None
    if phases.get("pull_s") is None:
        slowest = explain_calls(calls) if calls else None
        return _with_machine(Cause(Code.process_died, {"slowest_call": slowest}), busy, explained=True)
    took = {phase: phases.get(phase) or 0.0 for phase in PHASES}
    excess = {phase: took[phase] - (usual.least.get(phase) or 0.0) for phase in PHASES}
    # If every cycle was as slow as this one (or it is the only one), the excess shows nothing.
    is_clear = max(excess.values()) > sum(took.values()) / 10
    worst = max(PHASES, key=lambda phase: excess[phase] if is_clear else took[phase])
    if worst == "pull_s":
        cause = explain_calls(calls, pull_s=took[worst])
        return _with_machine(cause, busy, explained=cause.code not in (Code.no_calls, Code.process_held_up))
    took_s = {"took_s": took[worst]}
    locked_out = next((wait for wait in lock_waits if not wait.opened), None)
    if worst == "lock_wait_s":
        opened = max((wait for wait in lock_waits if wait.opened), key=lambda wait: wait.waited_s, default=None)
        return Cause(Code.lock_wait, took_s | {"holder": Holder(opened.holder, opened.pid) if opened else Holder()})
    if worst == "handover_s" and locked_out:
        return Cause(Code.locked_out, took_s | {"holder": Holder(locked_out.holder, locked_out.pid)})
    return _with_machine(Cause(Code[worst.removesuffix("_s")], took_s), busy, explained=False)


def _with_machine(cause: Cause, busy: Pressure | None, *, explained: bool) -> Cause:
    """What the machine adds to a cause; `explained`: the cause itself explains the time."""
    if busy is None:
        return cause
    role = "as usual" if not busy.unusual else "meanwhile" if explained else "cause"
    return Cause(cause.code, {**cause.fields, "machine": busy, "machine_is": role})


def explain_calls(calls: Sequence[CallFact], *, pull_s: float = 0.0) -> Cause:
    """The attempts of the slowest call of a fetch of `pull_s` seconds; 0: of one that never ended.

    A call counts from its first request: the time before that was used by other calls.
    """
    if not calls:
        return Cause(Code.no_calls, {"took_s": pull_s})
    of_label = sorted(calls, key=lambda call: (call.label, call.attempt))
    chains = [list(chain) for _, chain in groupby(of_label, key=lambda call: call.label)]
    slowest = max(chains, key=_chain_s)
    took_s, sum_s = _chain_s(slowest), sum(map(_chain_s, chains))
    if took_s >= pull_s / 2:
        return _explain_chain(slowest, took_s)
    wait = max(calls, key=lambda call: call.waited_s if call.attempt == 1 else 0.0)
    refused = next((call for call in calls if call.outcome in TOO_MANY), None)
    if wait.attempt == 1 and wait.waited_s > pull_s / 2 and refused:
        fields = {"call": wait.label, "waited_s": wait.waited_s, "failure": refused.failure}
        return Cause(Code.rate_limit_pause, fields)
    if sum_s < pull_s / 2:
        return Cause(Code.process_held_up, {"took_s": pull_s, "slowest_s": took_s})
    each = {"calls": len(chains), "mean_s": sum_s / len(chains), "slowest_s": took_s, "call": slowest[0].label}
    return Cause(Code.all_calls_slow, each)


def _chain_s(chain: Sequence[CallFact]) -> float:
    return sum(call.latency_s + (call.waited_s if call.attempt > 1 else 0.0) for call in _first_requests(chain))


def _first_requests(chain: Sequence[CallFact]) -> Sequence[CallFact]:
    """Without hedges: the first request of an attempt lasts as long as they do. A killed cycle may leave a hedge."""
    return [call for call in chain if not call.hedge] or chain


def _explain_chain(chain: Sequence[CallFact], took_s: float) -> Cause:
    chain = _first_requests(chain)
    slowest = max(chain, key=lambda call: call.latency_s)
    longest_wait = max(chain, key=lambda call: call.waited_s if call.attempt > 1 else 0.0)
    failures = {call.attempt: call.failure for call in reversed(chain)}
    if slowest.latency_s >= took_s * 0.6:
        fields = {"call": slowest.label, "took_s": slowest.latency_s, "attempt": slowest.attempt}
        fields |= {"after": failures.get(slowest.attempt - 1)}
        if slowest.outcome == "superseded":
            return Cause(Code.hedged_response, fields)
        if slowest.outcome == "ok":
            return Cause(Code.slow_response, fields)
        return Cause(Code.slow_failure, fields | {"failure": slowest.failure})
    if longest_wait.attempt > 1 and longest_wait.waited_s >= took_s * 0.6:
        fields = {"call": slowest.label, "waited_s": longest_wait.waited_s, "attempt": longest_wait.attempt}
        return Cause(Code.retry_wait, fields | {"after": failures.get(longest_wait.attempt - 1)})
    failed = [call.failure for call in chain if call.outcome not in ("ok", "superseded")]
    fields = {"call": slowest.label, "took_s": took_s, "attempts": len(chain), "failures": failed}
    return Cause(Code.many_attempts, fields)
