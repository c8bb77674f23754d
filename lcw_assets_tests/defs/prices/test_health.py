"""The health of a source, from the facts of its loads alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.prices.health import Fact, Health, HealthLimits, Spent, health
from lcw_assets_tests.defs.prices.venues import AT

GOOD = Fact(AT, "ok", 0.2, votes=6, age_s=1.0)
FAILED = Fact(AT, "timeout", 10.0)
LYING = replace(GOOD, rejected=6)


def row(*facts: Fact, start: int = 0) -> list[Fact]:
    """A fact a minute."""
    return [replace(fact, at=AT + timedelta(minutes=start + place)) for place, fact in enumerate(facts)]


def of(*facts: Fact, after_s: float = 1.0, limits: HealthLimits | None = None) -> Health:
    """Some seconds after the last of them."""
    rows = row(*facts)
    return health(rows, rows[-1].at + timedelta(seconds=after_s), limits or HealthLimits())


def codes(found: Health) -> list[str]:
    return [reason.code for reason in found.reasons]


def test_a_source_that_serves_well_is_healthy() -> None:
    found = of(*[GOOD] * 20)
    assert (found.state, found.reasons, found.probe_at) == ("healthy", (), None)
    assert (found.success, found.latency_s, found.age_s, found.rejected) == (1, 0.2, 1.0, 0)


def test_nobody_knows_a_new_one_and_it_is_called() -> None:
    found = health([], AT)
    assert (found.state, codes(found), found.success) == ("degraded", ["unknown"], None)


def test_two_failures_in_a_row_put_it_out_and_one_does_not() -> None:
    assert (of(*[GOOD] * 19, FAILED).state, of(*[GOOD] * 18, FAILED, FAILED).state) == ("healthy", "out")
    out = of(*[GOOD] * 18, FAILED, FAILED)
    assert out.reasons[0].fields == {"failures": 2, "outcome": "timeout"}
    assert of(*[GOOD, FAILED] * 5).state == "degraded", "half of them fail"


def test_it_is_probed_after_a_minute_then_two_up_to_a_quarter_of_an_hour() -> None:
    pauses = []
    for failures in range(2, 9):
        rows = row(*[FAILED] * failures)
        probe_at = health(rows, rows[-1].at).probe_at
        assert probe_at is not None
        pauses.append((probe_at - rows[-1].at).total_seconds())
    assert pauses == [60, 120, 240, 480, 900, 900, 900]
    assert of(FAILED, FAILED, after_s=59).state == "out"
    assert of(FAILED, FAILED, after_s=60).state == "probing"


def test_one_good_probe_brings_it_back_and_it_is_degraded_until_it_has_proved_itself() -> None:
    assert of(FAILED, FAILED, GOOD).state == "degraded"
    assert codes(of(FAILED, FAILED, GOOD)) == ["unreliable"]
    assert of(FAILED, FAILED, *[GOOD] * 17).state == "degraded"
    assert of(FAILED, FAILED, *[GOOD] * 18).state == "healthy"


@pytest.mark.parametrize("outcome", ["banned", "blocked", "rate_limited"])
def test_a_ban_puts_it_out_at_once_and_until_the_moment_that_the_server_says(outcome: str) -> None:
    ban = replace(FAILED, outcome=outcome)
    assert of(*[GOOD] * 19, ban).state == "out"
    until = AT + timedelta(hours=2)
    found = health([replace(ban, retry_at=until)], AT)
    assert (found.probe_at, codes(found)[0]) == (until, "banned")
    absurd = health([replace(ban, retry_at=AT + timedelta(days=4_000))], AT)
    assert absurd.probe_at == AT + timedelta(days=3)


def test_one_whose_prices_are_rejected_is_out_within_two_rounds_and_back_when_it_agrees_again() -> None:
    once = of(*[GOOD] * 19, LYING)
    assert (once.state, codes(once)) == ("degraded", ["disbelieved"])
    twice = of(*[GOOD] * 18, LYING, LYING)
    assert (twice.state, twice.reasons[0].fields, twice.rejected) == ("out", {"rejected": 6, "votes": 6}, 0.1)
    assert of(LYING, LYING, GOOD).state == "healthy"
    assert of(*[replace(GOOD, rejected=3)] * 20).state == "healthy", "half of them is not most"


def test_one_that_responds_with_nothing_usable_is_out_as_well() -> None:
    yesterday = replace(GOOD, votes=0)
    assert (of(yesterday, yesterday).state, codes(of(yesterday, yesterday))) == ("out", ["no_usable_quotes"])


def test_slow_and_stale_ones_are_degraded() -> None:
    assert codes(of(*[replace(GOOD, latency_s=2.1)] * 3)) == ["slow"]
    assert codes(of(*[replace(GOOD, age_s=61)] * 3)) == ["stale"]
    assert of(replace(GOOD, latency_s=9), GOOD, GOOD).state == "healthy", "one slow response is none"


def test_one_that_has_cost_its_budget_is_out_until_the_utc_day_is_over() -> None:
    limits = HealthLimits(budget=5.0)
    found = health(row(*[GOOD] * 5), AT + timedelta(minutes=5), limits, Spent(5, 5_000, 5.0))
    assert (found.state, codes(found), found.cost) == ("out", ["over_budget"], 5.0)
    assert (found.calls, found.bytes) == (5, 5_000)
    assert found.probe_at == AT.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    tomorrow = health(row(*[GOOD] * 5), found.probe_at, limits, Spent())
    assert (tomorrow.state, tomorrow.cost) == ("healthy", 0)


def test_facts_that_a_wrong_clock_put_into_the_future_do_not_count() -> None:
    assert health(row(GOOD, FAILED, FAILED), AT).state == "healthy"


FACTS = st.lists(st.sampled_from([GOOD, FAILED, LYING, replace(FAILED, outcome="banned")]), max_size=30)


@given(FACTS, st.integers(0, 3_000), st.randoms())
def test_it_follows_from_the_facts_in_whatever_order_they_come(facts: list[Fact], after_s: int, random: Any) -> None:
    rows = row(*facts)
    now = AT + timedelta(seconds=after_s)
    found = health(rows, now)
    random.shuffle(rows)
    assert health(rows, now) == found
    assert (found.probe_at is None) == (found.state in ("healthy", "degraded"))
    assert (found.state == "healthy") == (found.reasons == ())


@given(FACTS)
def test_nobody_is_out_for_longer_than_the_longest_pause(facts: list[Fact]) -> None:
    rows = row(*facts)
    later = AT + timedelta(minutes=len(rows), seconds=900)
    assert health(rows, later).state != "out"


def test_a_server_that_wants_less_than_our_own_pause_gets_that_one() -> None:
    banned = replace(FAILED, outcome="rate_limited", retry_at=AT + timedelta(seconds=5))
    assert health([banned], AT).probe_at == AT + timedelta(seconds=60)
