"""Why a cycle was slow, in words, from its own facts. What they only suggest is called likely."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from lcw_assets.defs.monitoring.machine import Machine, pressure
from lcw_assets.rounding import seconds
from lcw_assets.warehouse.errors import Holder

# In the order they happen. They add up to `cycle_s`.
PHASES = ("queue_s", "start_s", "pull_s", "handover_s", "lock_wait_s", "store_s")

_PHASE_WORDS = {
    "queue_s": "the run waited {} in Dagster's queue before its process existed",
    "start_s": "starting the process took {}, imports included",
    "handover_s": "{} passed between pulling and storing, in Dagster or in the spool",
    "store_s": "storing took {}",
}
_OUTCOME_WORDS = {
    "timeout": "a time-out",
    "connection": "a broken connection",
    "rate_limited": "a 429",
    "server_error": "a server error",
    "broken_body": "a broken answer",
    "rejected": "a refusal",
    "unknown_code": "a refusal",
    "deadline": "the cycle's deadline",
}


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
        return call_label({"endpoint": self.endpoint, "request": self.request})

    @property
    def failure(self) -> str:
        return failure(self.outcome, self.http_status)


def call_label(row: Mapping[str, Any]) -> str:
    """Such as `coins/list offset 600`, from a row with an endpoint and a request."""
    offset = row["request"].get("offset")
    return str(row["endpoint"]) if offset is None else f"{row['endpoint']} offset {offset}"


def failure(outcome: str, http_status: int | None) -> str:
    """Such as `a 503`, `a time-out`."""
    if http_status and http_status != 200:
        return f"a {http_status}"
    return _OUTCOME_WORDS.get(outcome, outcome)


@dataclass(frozen=True)
class LockWaitFact:
    """A row of `ops.lock_waits`: `opened` is false where the cycle gave up and stayed in the spool."""

    waited_s: float
    holder: str | None
    pid: int | None
    opened: bool


@dataclass(frozen=True)
class Usual:
    """What a cycle is compared with: the `least` seconds that each phase took in a window, and the median machine."""

    least: Mapping[str, float | None] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)


def explain(
    phases: Mapping[str, float | None],
    calls: Sequence[CallFact],
    usual: Usual,
    machine: Machine | None = None,
    lock_waits: Sequence[LockWaitFact] = (),
) -> str:
    """The phase that took most over the least it can take, what held it up, and whether the machine was busy.

    Not over its median: where most cycles are slow, that is slow as well.
    """
    if phases.get("pull_s") is None:
        slowest = f" ({describe_calls(calls)[0]})" if calls else ""
        cause = f"its process died while it pulled; a later cycle stored what it had{slowest}"
        return cause + _machine_note(machine, usual, is_cause=False)
    took = {phase: phases.get(phase) or 0.0 for phase in PHASES}
    excess = {phase: took[phase] - (usual.least.get(phase) or 0.0) for phase in PHASES}
    # Where every cycle was as slow as this one (where it is the only one, say), the excess tells nothing.
    tells = max(excess.values()) > sum(took.values()) / 10
    worst = max(PHASES, key=lambda phase: excess[phase] if tells else took[phase])
    locked = _lock_cause(worst, took[worst], lock_waits)
    if locked:
        return locked
    if worst != "pull_s":
        return _PHASE_WORDS[worst].format(seconds(took[worst])) + _machine_note(machine, usual, is_cause=True)
    cause, explained = describe_calls(calls, pull_s=took[worst])
    return cause + _machine_note(machine, usual, is_cause=not explained)


def _lock_cause(phase: str, took_s: float, lock_waits: Sequence[LockWaitFact]) -> str | None:
    """Null if no lock explains this phase."""
    opened = max((wait for wait in lock_waits if wait.opened), key=lambda wait: wait.waited_s, default=None)
    gave_up = [wait for wait in lock_waits if not wait.opened]
    if phase == "lock_wait_s":
        by = Holder(opened.holder, opened.pid) if opened else Holder()
        return f"it waited {seconds(took_s)} for the database, held open by {by} for most of that"
    if phase == "handover_s" and gave_up:
        by = Holder(gave_up[0].holder, gave_up[0].pid)
        return (
            f"it waited in the spool for {seconds(took_s)}: the database was held open by {by} when it was to be stored"
        )
    return None


def _machine_note(machine: Machine | None, usual: Usual, *, is_cause: bool) -> str:
    """What the machine adds to a cause. `is_cause`: the facts name nothing else that took the time."""
    strained = pressure(machine, usual.machine) if machine else None
    if strained is None:
        return ""
    if not strained.unusual:
        return f"; the machine was as busy as it usually is ({strained.said})"
    if is_cause:
        return f", likely because the machine was busy ({strained.said})"
    return f"; the machine was busy meanwhile ({strained.said})"


def describe_calls(calls: Sequence[CallFact], *, pull_s: float | None = None) -> tuple[str, bool]:
    """What the slowest call of a pull met, and whether that explains the time that the pull took (`pull_s`, seconds).

    A call counts from its first request on: what it waited before that is time that other calls took.
    """
    if not calls:
        return f"pulling took {seconds(pull_s or 0.0)}, and no call left a fact", False
    of_label = sorted(calls, key=lambda call: (call.label, call.attempt))
    chains = [list(chain) for _, chain in groupby(of_label, key=lambda call: call.label)]
    slowest = max(chains, key=_chain_s)
    took = _chain_s(slowest)
    if pull_s and took < pull_s / 2:
        wait = max(calls, key=lambda call: call.waited_s if call.attempt == 1 else 0.0)
        if wait.attempt == 1 and wait.waited_s > pull_s / 2 and any(call.outcome == "rate_limited" for call in calls):
            paused = f"{wait.label} waited {seconds(wait.waited_s)} for its turn"
            return f"likely a pause of all calls after a 429: {paused}", True
        if sum(map(_chain_s, chains)) < pull_s / 2:
            only = f"pulling took {seconds(pull_s)} and its slowest call only {seconds(took)}"
            return f"{only}: the process was likely held up", False
        each = seconds(sum(map(_chain_s, chains)) / len(chains))
        most = f"at most {seconds(took)} ({slowest[0].label})"
        return f"all calls were slow: {len(chains)} calls took {each} each, {most}", True
    return _describe_chain(slowest, took), True


def _chain_s(chain: Sequence[CallFact]) -> float:
    return sum(call.latency_s + (call.waited_s if call.attempt > 1 else 0.0) for call in _first_requests(chain))


def _first_requests(chain: Sequence[CallFact]) -> Sequence[CallFact]:
    """Without hedges: the first request of an attempt lasts as long as they do. A killed cycle may have left a hedge
    alone.
    """
    return [call for call in chain if not call.hedge] or chain


def _describe_chain(chain: Sequence[CallFact], took: float) -> str:
    label = chain[0].label
    chain = _first_requests(chain)
    failures = [call.failure for call in chain if call.outcome not in ("ok", "superseded")]
    slowest = max(chain, key=lambda call: call.latency_s)
    longest_wait = max(chain, key=lambda call: call.waited_s if call.attempt > 1 else 0.0)
    if slowest.latency_s >= took * 0.6:
        before = [call.failure for call in chain if call.attempt == slowest.attempt - 1]
        text = f"{label} took {seconds(slowest.latency_s)} on attempt {slowest.attempt}"
        text += f" after {before[0]}" if before else ""
        if slowest.outcome == "superseded":
            return f"{text}, until a second request was answered"
        return text if slowest.outcome == "ok" else f"{text} and ended in {slowest.failure}"
    if longest_wait.attempt > 1 and longest_wait.waited_s >= took * 0.6:
        before = [call.failure for call in chain if call.attempt == longest_wait.attempt - 1]
        after = f" after {before[0]}" if before else ""
        return f"{label} waited {seconds(longest_wait.waited_s)} before attempt {longest_wait.attempt}{after}"
    return f"{label} took {seconds(took)} over {len(chain)} attempts: {_counted(failures)}"


def _counted(failures: Iterable[str]) -> str:
    """`a 503, a 503, a time-out` as `a 503 (2 times), a time-out`."""
    parts = []
    for failure, times in ((key, len(list(group))) for key, group in groupby(failures)):
        parts.append(failure if times == 1 else f"{failure} ({times} times)")
    return ", ".join(parts)
