"""The plan of trouble: what is wrong in which minute, and what is too much of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from lcw_assets.defs.monitoring.sla import BUILT_IN
from lcw_assets.simulator.faults import Draw, Fault, down, flaky

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
DEADLINE_S = 45.0
KILL_EVERY = 100
HELD_EVERY = 5

# What a 429 requests in a storm: two of them, and the half of the deadline is over.
_STORM_S = 12.0

# The SLA of the soak is the built-in one, less what this much trouble breaks from the first hour to the last (one call
# in five fails, and a killed cycle takes over a minute): a limit that is never met is reported once, and says nothing
# of whether incidents come and go as they must.
_OTHER_LIMITS = (
    ("cycle_error_s = 60", "cycle_error_s = 42"),
    ('error_rate", at_most = 0.1 }', 'error_rate", at_most = 0.3 }'),
    (
        'p95_s", under = 25 },\n    { measure = "p99_s", under = 45 }',
        'p95_s", under = 40 },\n    { measure = "p99_s", under = 70 }',
    ),
    ("seconds = 60, under = 0.005", "seconds = 60, under = 0.018"),
    ('complete", at_least = 0.99', 'complete", at_least = 0.85'),
    ('error_rate", at_most = 0.05 }', 'error_rate", at_most = 0.3 }'),
)


def minute(number: int) -> datetime:
    """The tick of a cycle."""
    return NOON + timedelta(minutes=number)


def outage(cycles: int) -> range:
    """The hour in which nothing responses."""
    return range(cycles // 3, cycles // 3 + 60)


def write_sla(file: Path) -> None:
    text = BUILT_IN.read_text()
    for limit, other in _OTHER_LIMITS:
        if limit not in text:
            raise ValueError(f"the SLA has no {limit!r} any more")
        text = text.replace(limit, other)
    file.write_text(text)


class Trouble:
    """The profile of the cycle that runs."""

    def __init__(self, outage: range, scale: float) -> None:
        self.cycle = 0
        self._outage, self._scale = outage, scale

    def __call__(self, draw: Draw) -> Fault:
        if self.cycle in self._outage:
            return down(draw)
        if self.cycle % 150 < 10 and draw.number % 2:
            return Fault("error", status=429, retry_after=str(_STORM_S * self._scale))
        fault = flaky(draw)
        return replace(fault, retry_after=str(float(fault.retry_after) * self._scale)) if fault.retry_after else fault

    def now(self) -> datetime:
        """The simulator's clock: its market moves from cycle to cycle."""
        return minute(self.cycle)
