"""Why a cycle was slow, in words, from its own facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

# In the order they happen. They add up to `cycle_s`.
PHASES = ("queue_s", "start_s", "pull_s", "handover_s", "lock_wait_s", "store_s")

_PHASE_WORDS = {
    "queue_s": "the run waited {} in Dagster's queue before its process existed",
    "start_s": "starting the process took {}, imports included",
    "handover_s": "{} passed between pulling and storing, in Dagster or in the spool",
    "lock_wait_s": "the database was held open by another process for {}",
    "store_s": "storing took {}",
}
_OUTCOME_WORDS = {
    "timeout": "a time-out",
    "connection": "a broken connection",
    "rate_limited": "a 429",
    "server_error": "a server error",
    "broken_body": "a broken answer",
    "rejected": "a refusal",
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


def explain(phases: Mapping[str, float | None], calls: Sequence[CallFact], least: Mapping[str, float | None]) -> str:
    """The phase that took most over the least it can take (`least`, seconds), and what held it up.

    Not over its median: where most cycles are slow, that is slow as well.
    """
    if phases.get("pull_s") is None:
        told = describe_calls(calls)
        return "its process died while it pulled; a later cycle stored what it had" + (f" ({told})" if told else "")
    took = {phase: phases.get(phase) or 0.0 for phase in PHASES}
    excess = {phase: took[phase] - (least.get(phase) or 0.0) for phase in PHASES}
    # Where every cycle was as slow as this one (where it is the only one, say), the excess tells nothing.
    tells = max(excess.values()) > sum(took.values()) / 10
    worst = max(PHASES, key=lambda phase: excess[phase] if tells else took[phase])
    seconds = took[worst]
    if worst != "pull_s":
        return _PHASE_WORDS[worst].format(f"{seconds:.1f} s")
    return describe_calls(calls, pull_s=seconds) or f"pulling took {seconds:.1f} s, and no call left a fact"


def describe_calls(calls: Sequence[CallFact], *, pull_s: float | None = None) -> str:
    """What the slowest call of a pull met. Empty if there is none.

    A call counts from its first request on: what it waited before that is time that other calls took.
    """
    if not calls:
        return ""
    of_label = sorted(calls, key=lambda call: (call.label, call.attempt))
    chains = [list(chain) for _, chain in groupby(of_label, key=lambda call: call.label)]
    slowest = max(chains, key=_chain_s)
    took = _chain_s(slowest)
    if pull_s and took < pull_s / 2:
        wait = max(calls, key=lambda call: call.waited_s if call.attempt == 1 else 0.0)
        if wait.attempt == 1 and wait.waited_s > pull_s / 2 and any(call.outcome == "rate_limited" for call in calls):
            return f"all calls paused after a 429: {wait.label} waited {wait.waited_s:.1f} s for its turn"
        if sum(map(_chain_s, chains)) < pull_s / 2:
            return f"pulling took {pull_s:.1f} s and its slowest call only {took:.1f} s: the process was held up"
        return (
            f"all calls were slow: {len(chains)} calls took {sum(map(_chain_s, chains)) / len(chains):.1f} s each, "
            f"at most {took:.1f} s ({slowest[0].label})"
        )
    return _describe_chain(slowest, took)


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
        text = f"{label} took {slowest.latency_s:.1f} s on attempt {slowest.attempt}"
        text += f" after {before[0]}" if before else ""
        if slowest.outcome == "superseded":
            return f"{text}, until a second request was answered"
        return text if slowest.outcome == "ok" else f"{text} and ended in {slowest.failure}"
    if longest_wait.attempt > 1 and longest_wait.waited_s >= took * 0.6:
        before = [call.failure for call in chain if call.attempt == longest_wait.attempt - 1]
        after = f" after {before[0]}" if before else ""
        return f"{label} waited {longest_wait.waited_s:.1f} s before attempt {longest_wait.attempt}{after}"
    return f"{label} took {took:.1f} s over {len(chain)} attempts: {_counted(failures)}"


def _counted(failures: Iterable[str]) -> str:
    """`a 503, a 503, a time-out` as `a 503 (2 times), a time-out`."""
    parts = []
    for failure, times in ((key, len(list(group))) for key, group in groupby(failures)):
        parts.append(failure if times == 1 else f"{failure} ({times} times)")
    return ", ".join(parts)
