"""The first half of a load: make the planned calls, a few at a time, within one deadline."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from typing import Any, Protocol

from lcw_assets import rounding
from lcw_assets.ingest.load import FetchEnd, Missing, PlannedCall
from lcw_assets.ingest.spool_file import SpoolFullError
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, RefusedError
from lcw_assets.transport.threads import fan_out

# Calls that failed, with all their retries, before the first response. The server is down then, and the other calls
# would take until the deadline to show the same.
_GIVE_UP_AFTER = 4


class Api(Protocol):
    """A source's client, as far as a load needs it."""

    def fetch(self, endpoint: str, request: dict[str, Any]) -> Any:
        """The document of a response. Raises `CallError`."""


@dataclass
class Part:
    """What came for one raw asset. `seconds` is the sum over its calls, with retries and waits."""

    endpoints: set[str] = field(default_factory=set)
    planned: int = 0
    succeeded: int = 0
    entries: int = 0
    seconds: float = 0.0


@dataclass
class Fetched:
    """What came of a fetch. `ended_by` is the error that ended it: every further call would have had the same.
    `of_load` is the number of calls of a whole load; `calls` are of the selected assets.
    """

    calls: Sequence[PlannedCall]
    parts: dict[str, Part] = field(default_factory=dict)
    seconds: float = 0.0
    of_load: int = 0
    missing: list[Missing] = field(default_factory=list)
    ended_by: RefusedError | None = None

    def __post_init__(self) -> None:
        for call in self.calls:
            part = self.parts.setdefault(call.part, Part())
            part.planned += 1
            part.endpoints.add(call.endpoint)

    @classmethod
    def nothing(cls, calls: Sequence[PlannedCall], code: str, reason: str) -> Fetched:
        """A fetch that made no call."""
        return cls(calls, missing=[Missing(call.label, code, reason) for call in calls])

    @property
    def essential(self) -> Sequence[Part]:
        """The parts that the load is for; all of them where none of these was to be fetched."""
        wanted = {call.part for call in self.calls if call.essential}
        return [self.parts[part] for part in wanted] or list(self.parts.values())

    @property
    def succeeded(self) -> int:
        return sum(part.succeeded for part in self.essential)

    @property
    def reason(self) -> str:
        """Why nothing came, in one line: what ended the fetch, or the most frequent error of its calls."""
        if self.ended_by:
            return self.ended_by.reason
        reasons = Counter(missing.reason for missing in self.missing).most_common(1)
        return reasons[0][0] if reasons else "no response had an entry"

    def end(self, started_at: datetime) -> FetchEnd:
        """The end of the fetch, for the spool. It began at `started_at`."""
        now = datetime.now(timezone.utc)
        return FetchEnd(now, (now - started_at).total_seconds(), self.missing)


def fetch_all(
    api: Api | Mapping[str, Api],
    calls: Sequence[PlannedCall],
    *,
    deadline: Deadline,
    in_flight: int,
    log: Callable[[str], None],
    received: Callable[[PlannedCall, Any], int],
    probe: bool = False,
) -> Fetched:
    """Make the planned calls, `in_flight` at a time. A call that fails is named in the result and raises nothing.

    With `probe`, the first call is made alone, and if it fails it was the only one. `received` counts the entries of a
    response.

    An error that every call would meet (`RefusedError`: a wrong key, no credits) ends the fetch: no further call is
    made, and those in flight may finish, because they are paid for. The client hands the responses to its sink.

    Where calls are of several sources, `api` has a client for each `source`, and none of them ends the calls of the
    others.
    """
    started = time.perf_counter()
    several = isinstance(api, Mapping)
    fetched = Fetched(calls)
    waiting = dict(enumerate(calls))
    over: CallError | SpoolFullError | None = None

    def tasks(some: Sequence[PlannedCall]) -> Iterator[Callable[[], tuple[float, Any]]]:
        for call in some:
            if over is not None:
                return
            yield partial(_timed, api[call.source] if isinstance(api, Mapping) else api, call)

    first = 1 if probe else 0
    try:
        for index, result in chain(
            fan_out(tasks(calls[:first]), 1),
            ((first + index, result) for index, result in fan_out(tasks(calls[first:]), in_flight)),
        ):
            call = waiting.pop(index)
            try:
                seconds, document = result()
            except (CallError, SpoolFullError) as error:
                refused = error if isinstance(error, RefusedError) and not several else None
                fetched.ended_by = fetched.ended_by or refused
                cut = over is not None and isinstance(error, CallError) and error.outcome == "deadline"
                missing = _missing(call, over if over is not None and cut else error)
                fetched.missing.append(missing)
                none = not any(part.succeeded for part in fetched.parts.values())
                given_up = not several and none and len(fetched.missing) >= (1 if probe else _GIVE_UP_AFTER)
                if given_up or refused or isinstance(error, SpoolFullError):
                    over = over or error  # before anything else: threads take the next call meanwhile
                    deadline.cancel()  # no retries of what is in flight
                log(f"{call.label} is missing: {missing.reason}")
            else:
                part = fetched.parts[call.part]
                part.succeeded += 1
                part.entries += received(call, document)
                part.seconds += seconds
                log(f"{call.label} in {rounding.seconds(seconds)}")
    finally:
        deadline.cancel()  # nobody needs the result of what still runs
    if over is not None:
        fetched.missing += [_missing(call, over) for call in waiting.values()]
    fetched.seconds = time.perf_counter() - started
    return fetched


def _missing(call: PlannedCall, error: CallError | SpoolFullError) -> Missing:
    if isinstance(error, SpoolFullError):
        return Missing(call.label, "spool_full", str(error))
    return Missing(call.label, error.outcome, error.reason)


def _timed(api: Api, call: PlannedCall) -> tuple[float, Any]:
    """The seconds it took, and what came."""
    started = time.perf_counter()
    document = api.fetch(call.endpoint, call.request)
    return time.perf_counter() - started, document
