"""Causes as data: a code with fields, and the words that people read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any

from lcw_assets.rounding import seconds


class Code(Enum):
    """What a cause is in data, and the words that `Cause` makes of it and its fields."""

    # a phase of a cycle
    queue = "the run waited {took_s} in Dagster's queue before its process existed"
    start = "starting the process took {took_s}, imports included"
    handover = "{took_s} passed between pulling and storing, in Dagster or in the spool"
    locked_out = "it waited in the spool for {took_s}: the database was held open by {holder} when it was to be stored"
    lock_wait = "it waited {took_s} for the database, held open by {holder} for most of that"
    store = "storing took {took_s}"
    # a pull
    process_died = "its process died while it pulled; a later cycle stored what it had{slowest_call}"
    no_calls = "pulling took {took_s}, and no call left a fact"
    process_held_up = "pulling took {took_s} and its slowest call only {slowest_s}: the process was likely held up"
    rate_limit_pause = "likely a pause of all calls after {failure}: {call} waited {waited_s} for its turn"
    all_calls_slow = "all calls were slow: {calls} calls took {mean_s} each, at most {slowest_s} ({call})"
    slow_response = "{call} took {took_s} on attempt {attempt}{after}"
    hedged_response = "{call} took {took_s} on attempt {attempt}{after}, until a second request was answered"
    slow_failure = "{call} took {took_s} on attempt {attempt}{after} and ended in {failure}"
    retry_wait = "{call} waited {waited_s} before attempt {attempt}{after}"
    many_attempts = "{call} took {took_s} over {attempts} attempts: {failures}"
    # a cycle that still runs
    spool_unreadable = "{error}"
    not_pulling = "it has not begun to pull: it is queued or still starting, or stored by now"
    not_stored = "it has pulled in {took_s} and waits to be stored"
    process_stopped = "every response is there, and the process has not gone on"
    no_response = "{call} has not answered for {waited_s}{missing}"
    no_response_to_retry = "{call} has not answered for {waited_s} on attempt {attempt}{after}{missing}"
    # a window of cycles
    failed_calls = "{times} of {failed} failed calls met {failure} at {endpoint}"
    slowest_cycle = "the slowest, {cycle_id} with {cycle_s}: {cause}"
    # what the daemon and the database do
    scheduler_stopped = "the scheduler in dagster-daemon has stopped, or cannot load the code: see the daemon's log"
    database_locked = "the database was held open by {holder} at {at} UTC"
    database_unusable = "the database is open elsewhere or cannot be written: the latest cycle's log says which"


# Fields that a cause may lack, in words; `machine` is not among them: it comes last, whatever the code.
_OPTIONAL = {
    "after": " after {after}",
    "slowest_call": " ({slowest_call})",
    "missing": "; {missing} of {planned} calls are missing",
}
_MACHINE = {
    "cause": ", likely because the machine was busy ({})",
    "meanwhile": "; the machine was busy meanwhile ({})",
    "as usual": "; the machine was as busy as it usually is ({})",
}


@dataclass(frozen=True)
class Cause:
    """`fields` by name: numbers, texts, and dataclasses of these. One that ends in `_s` is in seconds."""

    code: Code
    fields: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """The words, for people."""
        shown = {name: _text(name, value) for name, value in self.fields.items()}
        optional = {name: form.format(**shown) if shown.get(name) else "" for name, form in _OPTIONAL.items()}
        words = self.code.value.format(**(shown | optional))
        return words + (_MACHINE[shown["machine_is"]].format(shown["machine"]) if "machine" in shown else "")

    def to_row(self) -> dict[str, Any]:
        """As JSON has it."""
        row: dict[str, Any] = json.loads(json.dumps(asdict(self)["fields"], default=lambda value: value.name))
        return {"code": self.code.name, **row}


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name.endswith("_s"):
        return seconds(value)
    if name == "failures":  # `a 503, a 503, a time-out` as `a 503 (2 times), a time-out`
        runs = [(failure, len(list(group))) for failure, group in groupby(value)]
        return ", ".join(f"{failure}" if times == 1 else f"{failure} ({times} times)" for failure, times in runs)
    return str(value)


_OUTCOME_WORDS = {
    "timeout": "a time-out",
    "connection": "a broken connection",
    "rate_limited": "a 429",
    "banned": "a ban",
    "blocked": "a blocked country or network",
    "maintenance": "maintenance",
    "server_error": "a server error",
    "broken_body": "a broken response",
    "rejected": "a refusal",
    "unknown_code": "a refusal",
    "deadline": "the cycle's deadline",
}


@dataclass(frozen=True)
class Failure:
    """How an attempt failed, as `ops.calls` has it."""

    outcome: str
    http_status: int | None

    def __str__(self) -> str:
        """Such as `a 503`, `a time-out`."""
        if self.http_status and self.http_status != 200:
            return f"a {self.http_status}"
        return _OUTCOME_WORDS.get(self.outcome, self.outcome)
