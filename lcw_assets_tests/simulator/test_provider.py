"""What a provider's module may build on: a rate limit and a cache of bodies."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lcw_assets.simulator.provider import Cache, RateLimit
from lcw_assets_tests.conftest import NOON


def after(seconds: float, limit: RateLimit, weight: int = 1) -> tuple[bool, int, float]:
    """Of a request then: allowed? What remains, and for how long."""
    now = NOON + timedelta(seconds=seconds)
    return limit.spend(now, weight), limit.remaining(now), limit.reset_s(now)


def test_a_window_begins_with_its_first_request() -> None:
    limit = RateLimit(5, 30)
    assert limit.remaining(NOON) == 5
    assert after(7, limit, 3) == (True, 2, 30)
    assert after(8, limit, 2) == (True, 0, 29)
    assert after(36.5, limit) == (False, 0, 0.5)
    assert limit.remaining(NOON + timedelta(seconds=37)) == 5
    assert after(37, limit) == (True, 4, 30)


def test_or_at_a_full_period_of_the_clock() -> None:
    limit = RateLimit(1, 3_600, aligned=True)
    assert after(-1, limit) == (True, 0, 1)
    assert after(-0.5, limit) == (False, 0, 0.5)
    assert after(0, limit) == (True, 0, 3_600)


def test_a_clock_that_goes_back_opens_a_new_window() -> None:
    limit = RateLimit(1, 30)
    assert [after(seconds, limit)[0] for seconds in (100, 101, 50)] == [True, False, True]


def test_a_body_is_made_once_a_minute_and_key() -> None:
    made: list[tuple[int, str]] = []
    cache = Cache()

    def get(minute: int, key: str) -> bytes:
        def make() -> bytes:
            made.append((minute, key))
            return f"{minute} {key}".encode()

        return cache.get(minute, key, make)

    minutes = [(5, "a"), (5, "a"), (5, "b"), (4, "a"), (3, "a"), (3, "a"), (4, "a"), (5, "a")]
    assert [get(*one) for one in minutes] == [f"{minute} {key}".encode() for minute, key in minutes]
    assert made == [(5, "a"), (5, "b"), (4, "a"), (3, "a")]  # worked out beforehand, the latest first
    get(6, "a")
    get(5, "a")
    assert made[4:] == [(6, "a")]  # the minute before is kept
    get(4, "a")
    assert made[5:] == [(4, "a")]  # older ones are not


def test_what_fails_is_not_kept() -> None:
    cache = Cache()

    def fail() -> bytes:
        raise KeyError

    with pytest.raises(KeyError):
        cache.get(1, "a", fail)
    assert cache.get(1, "a", lambda: b"x") == b"x"
