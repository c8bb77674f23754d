"""Weights by volume, of which no source has more than its share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.prices.weights import capped, weighted_median


def test_by_hand() -> None:
    """Of 90, 5 and 5 the first is cut to t = 0.4 x (t + 10), so to 6.667 of 16.667."""
    assert capped([90, 5, 5], 0.4) == pytest.approx([0.4, 0.3, 0.3])
    assert capped([50, 40, 6, 4], 0.4) == pytest.approx([0.4, 0.4, 0.12, 0.08])
    assert capped([1, 1, 1, 1], 0.4) == [0.25] * 4


def test_what_is_unknown_weighs_as_usual() -> None:
    assert capped([1, None, 1, float("nan"), -5], 0.4) == pytest.approx([0.2] * 5)
    assert capped([None, None, None], 0.4) == pytest.approx([1 / 3] * 3)
    assert capped([0, 0, 0], 0.4) == pytest.approx([1 / 3] * 3)
    assert capped([1e300, 1], 0.4) == [0.5, 0.5], "two cannot both be below 40 %"


def test_a_median_at_exactly_half_is_between_two() -> None:
    assert weighted_median([3, 1, 2], [0.5, 0.25, 0.25]) == 2.5
    assert weighted_median([1, 2, 3], [0.2, 0.2, 0.6]) == 3
    assert weighted_median([5], [1]) == 5


@given(st.lists(st.none() | st.floats(0, 1e300), min_size=3, max_size=9))
def test_none_is_over_the_cap_and_more_volume_is_never_less_weight(volumes: list[float | None]) -> None:
    weights = capped(volumes, 0.4)
    assert sum(weights) == pytest.approx(1)
    assert max(weights) <= 0.4 + 1e-9
    known = sorted((volume, weight) for volume, weight in zip(volumes, weights, strict=True) if volume is not None)
    assert [weight for _, weight in known] == sorted(weight for _, weight in known)
