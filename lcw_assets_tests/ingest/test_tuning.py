"""How a cycle asks, from the facts before it: what adapts, to what, and what nonsense in the facts cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.ingest.tuning import Breaker, LoadFacts, Recent, Speed, Switches, read_breaker, read_recent, tune
from lcw_assets.transport.tuning import Pace
from lcw_assets_tests.defs.monitoring.facts import NOON, call, cycle, database, load

ON = Switches()


def asked(*cycles: str, hedges: int = 0, ended_at: datetime = NOON) -> list[LoadFacts]:
    """`g`ood, `l`imited by a 429, `f`ailed: one letter a cycle, a minute apart, the last one ended at `ended_at`."""
    letters = "".join(cycles)
    return [
        LoadFacts(
            cycle_id=str(number),
            ended_at=ended_at - timedelta(minutes=len(letters) - 1 - number),
            calls=14,
            good=0 if letter == "f" else 14,
            rate_limited=1 if letter == "l" else 0,
            hedges=hedges,
        )
        for number, letter in enumerate(letters)
    ]


def in_flight(cycles: Sequence[LoadFacts], switches: Switches = ON) -> int:
    return tune(Recent(cycles=cycles), switches).in_flight


@pytest.mark.parametrize(
    ("cycles", "width"),
    [("", 4), ("g", 5), ("gggg", 8), ("g" * 60, 8), ("l", 2), ("ll", 1), ("llll", 1), ("gggglg", 5), ("fff", 4)],
)
def test_one_more_after_a_good_cycle_and_half_after_a_429(cycles: str, width: int) -> None:
    assert in_flight(asked(cycles)) == width


def test_never_more_than_the_user_allows() -> None:
    assert in_flight(asked("gggg"), Switches(in_flight=2)) == 2
    assert in_flight([], Switches(in_flight=2)) == 2
    assert in_flight(asked("gggg"), Switches(adaptive_concurrency=False)) == 4


@given(st.text("glf", max_size=200), st.integers(1, 20))
def test_in_flight_stays_between_one_and_the_ceiling(cycles: str, ceiling: int) -> None:
    assert 1 <= in_flight(asked(cycles), Switches(in_flight=ceiling)) <= ceiling


def test_the_pace_follows_what_the_endpoint_does() -> None:
    tuning = tune(Recent(speeds=[Speed("coins/list", 20, 2.0, 6.0)]), ON)
    assert tuning.of("coins/list") == Pace(hedge_after_s=2.5, attempt_s=9.0)
    assert tuning.of("overview") == Pace(hedge_after_s=3.0, attempt_s=15.0)


@pytest.mark.parametrize(
    ("speed", "pace"),
    [
        (Speed("x", 20, 0.001, 0.002), Pace(0.25, 5.0)),
        (Speed("x", 20, 90.0, 110.0), Pace(5.0, 15.0)),
        (Speed("x", 19, 0.001, 0.002), Pace(3.0, 15.0)),
    ],
    ids=["very fast", "very slow", "too few"],
)
def test_the_pace_is_bounded(speed: Speed, pace: Pace) -> None:
    assert tune(Recent(speeds=[speed]), ON).of("x") == pace


def test_hedges_are_a_twentieth_of_the_calls_and_few_at_once() -> None:
    assert tune(Recent(), ON).hedges == 1
    assert tune(Recent(cycles=asked("g")), ON).hedges == 0  # 14 calls are not 20
    assert tune(Recent(cycles=asked("gg")), ON).hedges == 1
    assert tune(Recent(cycles=asked("g" * 60)), ON).hedges == 4
    assert tune(Recent(cycles=asked("g" * 60, hedges=1)), ON).hedges == 0  # 60 of 840


@given(st.lists(st.integers(0, 14), max_size=300))
def test_over_time_hedges_keep_to_a_twentieth(wanted: list[int]) -> None:
    """Whatever each cycle would like to hedge: it gets what is left."""
    cycles: list[LoadFacts] = []
    for number, wish in enumerate(wanted):
        hedges = min(wish, tune(Recent(cycles=cycles), ON).hedges)
        cycles.append(LoadFacts(str(number), NOON, 14 + hedges, 14, 0, hedges))
    assert sum(one.hedges for one in cycles) <= 1 + 0.05 * sum(one.calls for one in cycles)


def test_switches_switch_off() -> None:
    recent = Recent([Speed("x", 50, 1.0, 1.5)], asked("gggg"))
    assert tune(recent, Switches(hedging=False)).hedges == 0
    assert tune(recent, Switches(adaptive_timeouts=False)).of("x") == Pace(3.0, 15.0)
    assert read_breaker(Recent(cycles=asked("fffff")), Switches(breaker=False), NOON).state == "closed"


@pytest.mark.parametrize(
    ("cycles", "seconds", "state"),
    [
        ("", 0, "closed"),
        ("ff", 0, "closed"),
        ("fff", 0, "open"),
        ("fff", 59, "open"),
        ("fff", 60, "half-open"),
        ("ffff", 119, "open"),
        ("ffff", 120, "half-open"),
        ("f" * 50, 599, "open"),
        ("f" * 50, 600, "half-open"),
        ("fffg", 0, "closed"),
        ("fffgff", 0, "closed"),
        ("fffl", 0, "closed"),
    ],
)
def test_the_breaker_opens_after_three_and_tries_now_and_then(cycles: str, seconds: float, state: str) -> None:
    assert read_breaker(Recent(cycles=asked(cycles)), ON, NOON + timedelta(seconds=seconds)).state == state


def test_an_open_breaker_says_when_it_tries_again() -> None:
    breaker = read_breaker(Recent(cycles=asked("fff")), ON, NOON)
    assert str(breaker) == "nothing was asked: 3 cycles in a row had no response; the next try is at 12:01:00 UTC"
    assert breaker == Breaker("open", 3, NOON + timedelta(minutes=1))


def test_a_clock_that_was_set_back_keeps_it_open_no_longer() -> None:
    breaker = read_breaker(Recent(cycles=asked("fff", ended_at=NOON + timedelta(days=1))), ON, NOON)
    assert breaker.probe_at == NOON + timedelta(minutes=1)


def recent(rows: list[dict[str, Any]], source: str = "lcw") -> Recent:
    with database() as db:
        load(db, "ops.calls", rows)
        load(db, "ops.cycles", [cycle(1, NOON, 1.0) | {"cycle_id": one} for one in {row["cycle_id"] for row in rows}])
        return read_recent(db, source, NOON)


def test_facts_are_read_by_source_and_not_beyond_two_hours() -> None:
    inside, outside = cycle(1, NOON - timedelta(minutes=5), 2.0), cycle(2, NOON - timedelta(hours=3), 2.0)
    rows = [call(inside, "coins/list", seconds / 10) for seconds in range(1, 101)]
    rows += [call(outside, "coins/list", 99.0), call(inside, "coins/list", 99.0, source="kucoin")]
    rows += [call(inside, "coins/list", 0.1, outcome=outcome) for outcome in ("rate_limited", "banned", "blocked")]
    rows += [call(inside, "status", 1.0, hedge=True)]
    found = recent(rows)
    assert {speed.endpoint: speed.responses for speed in found.speeds} == {"coins/list": 100, "status": 1}
    [coins] = [speed for speed in found.speeds if speed.endpoint == "coins/list"]
    assert [coins.p95_s, coins.p99_s] == pytest.approx([9.505, 9.901])
    [one] = found.cycles
    assert (one.calls, one.good, one.rate_limited, one.hedges) == (104, 101, 2, 1)
    assert one.ended_at == NOON - timedelta(minutes=5) + timedelta(seconds=10)


def test_no_facts_and_nonsense_in_them_are_a_cold_start() -> None:
    assert recent([]) == Recent([], [])
    odd = cycle(1, NOON - timedelta(minutes=1), 1.0)
    rows = [call(odd, "coins/list", seconds) for seconds in (-5.0, float("nan"), float("inf"), 1e9)] * 10
    assert tune(recent(rows), ON).of("coins/list") == Pace(3.0, 15.0)
    assert read_breaker(recent(rows), ON, NOON).state == "closed"
