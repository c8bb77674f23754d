"""The first half of a cycle: ask for everything, a few calls at a time, within one deadline."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from itertools import chain
from typing import Any

from lcw_assets import rounding
from lcw_assets.defs.market.plan import PlannedCall
from lcw_assets.ingest.load import FetchEnd
from lcw_assets.ingest.spool_file import SpoolFullError
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.sources.lcw.records import Credits, read_records
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, RefusedError
from lcw_assets.transport.threads import fan_out

_MARKET_PARTS = ("coins", "exchanges", "overview")

# Calls that failed, with all their retries, before anything was answered. Nobody is there then, and the rest of the
# calls would take until the deadline to say the same.
_GIVE_UP_AFTER = 4


@dataclass
class Part:
    """What came for one raw asset. `seconds` are added up over its calls, retries and waits included."""

    endpoint: str
    planned: int = 0
    answered: int = 0
    entries: int = 0
    seconds: float = 0.0


@dataclass
class Pulled:
    """What came of a pull. `missing` names each call that brought nothing, and why."""

    parts: dict[str, Part]
    seconds: float = 0.0
    missing: list[str] = field(default_factory=list)
    credits: Credits | None = None
    refused: RefusedError | None = None

    @classmethod
    def nothing(cls, calls: Sequence[PlannedCall], why: str) -> Pulled:
        """A pull that asked for nothing, and `why`."""
        return cls(
            {call.part: Part(call.endpoint) for call in calls}, missing=[f"{call.label}: {why}" for call in calls]
        )

    @property
    def answered(self) -> int:
        return sum(part.answered for part in self.parts.values())

    @property
    def failed(self) -> bool:
        """Did nothing come for a market table, or, where none was to be served, nothing at all?"""
        market = [part for name, part in self.parts.items() if name in _MARKET_PARTS]
        return not any(part.entries for part in market or self.parts.values())

    @property
    def why(self) -> str:
        """Why nothing came, in one line: what ended the pull, or what its calls met most often."""
        if self.refused:
            return self.refused.reason
        return Counter(missed.partition(": ")[2] for missed in self.missing).most_common(1)[0][0]

    def end(self, started_at: datetime) -> FetchEnd:
        """What the spool is told now that the pull is over, which began at `started_at`."""
        now = datetime.now(timezone.utc)
        return FetchEnd(now, (now - started_at).total_seconds(), self.missing)


def pull(
    api: LiveCoinWatch,
    calls: Sequence[PlannedCall],
    *,
    deadline: Deadline,
    in_flight: int,
    log: Callable[[str], None],
    probe: bool = False,
) -> Pulled:
    """Make the planned calls, `in_flight` at a time. A call that fails is named in the result and raises nothing.

    With `probe`, the first one is made alone, and if it fails it was the only one.

    An error that every call would meet (`RefusedError`: a wrong key, no credits) ends the pull: nothing more is asked,
    and what is on its way is let come in, because it is paid for. The answers themselves are with the client's sink.
    """
    started = time.perf_counter()
    pulled = Pulled({call.part: Part(call.endpoint) for call in calls})
    for call in calls:
        pulled.parts[call.part].planned += 1
    waiting = dict(enumerate(calls))
    over: str | None = None

    def tasks(some: Sequence[PlannedCall]) -> Iterator[Callable[[], tuple[float, Any]]]:
        for call in some:
            if over is not None:
                return
            yield partial(_fetch, api, call)

    first = 1 if probe else 0
    try:
        for index, result in chain(
            fan_out(tasks(calls[:first]), 1),
            ((first + index, result) for index, result in fan_out(tasks(calls[first:]), in_flight)),
        ):
            call = waiting.pop(index)
            try:
                seconds, document = result()
            except RefusedError as error:
                pulled.refused = pulled.refused or error
                pulled.missing.append(f"{call.label}: {error.reason}")
                over = over or error.reason
            except CallError as error:
                reason = over if over and error.outcome == "deadline" else error.reason
                pulled.missing.append(f"{call.label}: {reason}")
                log(f"{call.label} is missing: {reason}")
                if len(pulled.missing) >= (1 if probe else _GIVE_UP_AFTER) and not pulled.answered:
                    over = over or error.reason
            except SpoolFullError as error:
                pulled.missing.append(f"{call.label}: {error}")
                over = over or str(error)
            else:
                part = pulled.parts[call.part]
                part.answered += 1
                part.entries += sum(isinstance(entry, dict) for entry in _entries(document))
                part.seconds += seconds
                log(f"{call.label} in {rounding.seconds(seconds)}")
                if call.part == "credits":
                    pulled.credits = next(iter(read_records(Credits, json.dumps(document)).records), None)
            if over is not None:
                deadline.cancel()  # no repeats of what is on its way
    finally:
        deadline.cancel()  # whatever still runs has nobody left to tell
    pulled.missing += [f"{call.label}: {over}" for call in waiting.values()]
    pulled.seconds = time.perf_counter() - started
    return pulled


def _entries(document: Any) -> Sequence[Any]:
    return document if isinstance(document, list) else [document]


def _fetch(api: LiveCoinWatch, call: PlannedCall) -> tuple[float, Any]:
    """The seconds it took, and what came."""
    started = time.perf_counter()
    document = api.fetch(call.endpoint, call.request)
    return time.perf_counter() - started, document
