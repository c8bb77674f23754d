"""How long a response may be shared: by volatility, within bounds."""

from __future__ import annotations

from datetime import timedelta
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.prices.lifetimes import LifetimeLimits, lifetime_s, volatility
from lcw_assets_tests.defs.prices.venues import AT


def test_volatility_by_hand() -> None:
    """Log returns .03 and -.04 within 100 s: sqrt(.0025 / 100) = .005."""
    prices = [(AT, 1.0), (AT + timedelta(seconds=40), exp(0.03)), (AT + timedelta(seconds=100), exp(-0.01))]
    assert volatility(prices) == pytest.approx(0.005)
    assert volatility(prices[:1]) is None
    assert volatility([prices[0], prices[0]]) is None
    assert volatility([(AT, 1.0), (AT + timedelta(seconds=9), 1.0)]) == 0


def test_a_calm_price_is_shared_for_longer_and_the_wildest_decides() -> None:
    assert lifetime_s([0.0001]) == pytest.approx(25), "(.0005 / .0001) squared"
    assert lifetime_s([0.0001, 0.0002]) == pytest.approx(6.25)
    assert lifetime_s([0.0]) == 45
    assert lifetime_s([1.0]) == 1
    assert lifetime_s([]) == lifetime_s([0.0, None]) == 1, "nothing is known"


@given(st.lists(st.floats(0, 1e3), min_size=1), st.floats(1e-9, 1))
def test_it_is_within_bounds_and_never_longer_for_a_wilder_price(volatilities: list[float], drift: float) -> None:
    limits = LifetimeLimits(drift=drift)
    found = lifetime_s(volatilities, limits)
    assert 1 <= found <= 60
    assert lifetime_s([2 * one for one in volatilities], limits) <= found
