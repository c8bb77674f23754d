"""Which windows to request: as few calls as possible for what is wanted and missing. Pure functions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from lcw_assets.defs.history.series import FIRST, Series
from lcw_assets.instruments.tracked import CoinsError


class PlanError(CoinsError):
    """Nothing can be requested. Says which value is wrong and what it must be."""


@dataclass(frozen=True, order=True)
class Span:
    """From `start` to before `end`."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True)
class WindowRequest:
    """One call: a coin (empty: the whole market) and a window."""

    code: str
    window: Span


Covered = tuple[Span, ...]  # ascending, apart from each other


@dataclass(frozen=True)
class Plan:
    """What a backfill will request. `covered` has, by coin, what was requested before; `unknown` are the coins that
    Live Coin Watch did not know within a day, which are left out.
    """

    series: Series
    wanted: Span
    horizon: datetime
    covered: Mapping[str, Covered]
    unknown: Collection[str] = ()

    @property
    def codes(self) -> Sequence[str]:
        return [code for code in self.covered if code not in self.unknown]

    @property
    def calls(self) -> int:
        return sum(map(self.calls_for, self.codes))

    def calls_for(self, code: str) -> int:
        return count_windows(self.wanted, self.covered[code], self.series.window, self.horizon)

    def requests(self) -> Iterator[WindowRequest]:
        """The newest windows of all coins first: an interrupted backfill then has the most important days."""
        waiting = {
            code: windows(self.wanted, self.covered[code], self.series.window, self.horizon) for code in self.codes
        }
        while waiting:
            for code in list(waiting):
                window = next(waiting[code], None)
                if window is None:
                    del waiting[code]
                else:
                    yield WindowRequest(code, window)


def windows(wanted: Span, covered: Covered, length: timedelta, horizon: datetime) -> Iterator[Span]:
    """Windows of `length` that cover what is `wanted` and not `covered`, the newest first.

    Each has full length, because a shorter one costs as much: the rest of it covers other uncovered time, after or
    before what is wanted, never after `horizon`. So backfills of one day after another, in either direction, need no
    more calls than one of all of them.
    """
    left = list(uncovered(wanted, covered))
    starts = [span.start for span in covered]
    newer = horizon  # where the window before this one begins
    while left:
        start, end = left[-1].start, left[-1].end
        if end - start < length:
            place = bisect_left(starts, end)
            ahead = starts[place] if place < len(starts) else newer
            end = max(end, min(start + length, ahead, newer))
        window = Span(max(end - length, FIRST), end)
        newer = window.start
        yield window
        while left and left[-1].start >= window.start:
            left.pop()
        if left and left[-1].end > window.start:
            left[-1] = Span(left[-1].start, window.start)


@lru_cache(maxsize=4096)
def count_windows(wanted: Span, covered: Covered, length: timedelta, horizon: datetime) -> int:
    """Cached: most coins of a backfill have the same windows covered."""
    return sum(1 for _ in windows(wanted, covered, length, horizon))


def uncovered(wanted: Span, covered: Iterable[Span]) -> Iterator[Span]:
    """The parts of `wanted` that none of `covered` covers, ascending."""
    start = wanted.start
    for span in sorted(covered):
        if span.end <= start:
            continue
        if span.start >= wanted.end:
            break
        if span.start > start:
            yield Span(start, span.start)
        start = span.end
    if start < wanted.end:
        yield Span(start, wanted.end)


def joined(spans: Iterable[Span]) -> list[Span]:
    """The union of these, ascending."""
    stretches: list[Span] = []
    for span in sorted(spans):
        if stretches and span.start <= stretches[-1].end:
            stretches[-1] = Span(stretches[-1].start, max(stretches[-1].end, span.end))
        else:
            stretches.append(span)
    return stretches


@dataclass
class FirstPoints:
    """Coins with two empty windows of 100 days and points in every later one: they were not listed before.

    `covered.sql` has the same rule.
    """

    found: set[str] = field(default_factory=set)
    _oldest: dict[str, datetime] = field(default_factory=dict)
    _empty: dict[str, list[Span]] = field(default_factory=dict)

    def record(self, request: WindowRequest, points: int) -> None:
        code, window = request.code, request.window
        if points:
            self._oldest[code] = min(window.start, self._oldest.get(code, window.start))
        else:
            self._empty.setdefault(code, []).append(window)
        oldest = self._oldest.get(code)
        if oldest and sum(empty.end <= oldest for empty in self._empty.get(code, ())) >= 2:
            self.found.add(code)
