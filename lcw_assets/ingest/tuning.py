"""Tunes a cycle's calls, from the facts of the last two hours. Pure functions: the facts are the only memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from lcw_assets.ingest.measures import Window
from lcw_assets.transport.tuning import Pace, Tuning
from lcw_assets.warehouse.statements import Statements

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)
_HOURS = 2.0

# With fewer responses of an endpoint than this, its p95 means nothing.
_FEWEST = 20
_COLD = Pace(hedge_after_s=3.0, attempt_s=15.0)

# LCW accepted four at once; 21 got 429 (market_apis, 2.3).
_START_IN_FLIGHT = 4

# Extra calls cost credits: one in twenty over two hours, and a few at most in one cycle.
_HEDGE_SHARE = 0.05
_HEDGES_A_CYCLE = 4

# Cycles in a row without any response, until the breaker opens; then the first pause, doubled by each probe that fails.
_OPENS_AFTER = 3
_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True)
class Speed:
    """How fast an endpoint responds: 95 and 99 % of its responses took at most so many seconds."""

    endpoint: str
    responses: int
    p95_s: float
    p99_s: float


@dataclass(frozen=True)
class LoadFacts:
    """What the calls of one cycle met, and when the last of them ended."""

    cycle_id: str
    ended_at: datetime
    calls: int
    good: int
    rate_limited: int
    hedges: int


@dataclass(frozen=True)
class Recent:
    """The facts of a source, oldest first. Empty for a cold start."""

    speeds: Sequence[Speed] = ()
    cycles: Sequence[LoadFacts] = ()


@dataclass(frozen=True)
class Switches:
    """What may adapt. `in_flight` is the most calls at once that the user allows."""

    in_flight: int = 8
    hedging: bool = True
    adaptive_timeouts: bool = True
    adaptive_concurrency: bool = True
    breaker: bool = True


@dataclass(frozen=True)
class Breaker:
    """`closed`: all calls; `open`: none until `probe_at`; `half-open`: one call first, and the rest if it succeeds."""

    state: Literal["closed", "open", "half-open"] = "closed"
    failures: int = 0
    probe_at: datetime | None = None

    def __str__(self) -> str:
        why = f"{self.failures} cycles in a row had no response"
        return f"nothing was asked: {why}; the next try is at {self.probe_at:%H:%M:%S} UTC" if self.probe_at else why


def read_recent(db: DuckDBPyConnection, source: str, now: datetime) -> Recent:
    parameters = {**Window.before(now, _HOURS).parameters(), "source": source}
    speeds = _SQL.rows(db, "recent_calls", parameters)
    cycles = _SQL.rows(db, "recent_cycles", parameters)
    return Recent([Speed(**row) for row in speeds], [LoadFacts(**row) for row in cycles])


def tune(recent: Recent, switches: Switches) -> Tuning:
    """In flight, hedges and the pace of each endpoint for the next cycle."""
    paces = {speed.endpoint: _pace(speed, switches) for speed in recent.speeds if speed.responses >= _FEWEST}
    return Tuning(
        in_flight=_in_flight(recent.cycles, switches),
        hedges=_hedges(recent.cycles) if switches.hedging else 0,
        pace=_COLD,
        paces=paces if switches.adaptive_timeouts else {},
    )


def read_breaker(recent: Recent, switches: Switches, now: datetime) -> Breaker:
    """The breaker now. A clock that was set back keeps it open for at most its longest pause."""
    failures = 0
    for cycle in reversed(recent.cycles):
        if cycle.good:
            break
        failures += 1
    if not switches.breaker or failures < _OPENS_AFTER:
        return Breaker("closed", failures)
    pause = min(_PAUSE * 2 ** min(failures - _OPENS_AFTER, 10), _LONGEST_PAUSE)
    probe_at = min(recent.cycles[-1].ended_at, now) + pause
    return Breaker("open", failures, probe_at) if now < probe_at else Breaker("half-open", failures)


def _pace(speed: Speed, switches: Switches) -> Pace:
    """Second requests a little after p95, given up at a multiple of p99.

    At p95 itself one call in twenty would have a second request. That is the whole budget: none would be left for
    calls that get no response at all.
    """
    return Pace(
        hedge_after_s=min(max(1.25 * speed.p95_s, 0.25), 5.0) if switches.hedging else None,
        attempt_s=min(max(1.5 * speed.p99_s, 5.0), 15.0),
    )


def _in_flight(cycles: Sequence[LoadFacts], switches: Switches) -> int:
    """Additive increase, multiplicative decrease: one more after each cycle without trouble, half after a 429."""
    width = min(_START_IN_FLIGHT, switches.in_flight)
    if not switches.adaptive_concurrency:
        return width
    for cycle in cycles:
        if cycle.rate_limited:
            width = max(1, width // 2)
        elif cycle.good:
            width = min(switches.in_flight, width + 1)
    return width


def _hedges(cycles: Sequence[LoadFacts]) -> int:
    """How many hedges are left of a twentieth of all calls; one for a cold start."""
    calls = sum(cycle.calls for cycle in cycles)
    spent = sum(cycle.hedges for cycle in cycles)
    return min(max(int(_HEDGE_SHARE * calls) - spent, 0), _HEDGES_A_CYCLE) if calls else 1
