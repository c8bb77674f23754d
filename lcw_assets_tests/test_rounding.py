"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.rounding import digits, percent, rounded, seconds


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.0001234, "0.000123"),
        (0.00000001, "0.000000"),
        (0.0345678, "0.0346"),
        (0.9996, "1.00"),
        (1.2, "1.20"),
        (9.999, "10.0"),
        (78.67, "78.7"),
        (123.4, "123"),
        (999.6, "1,000"),
        (7204.9, "7,200"),
        (-12.345, "-12.3"),
        (math.inf, "inf"),
        (1234567, "1,234,567"),  # a count
    ],
)
def test_three_significant_digits(value: float, shown: str) -> None:
    assert digits(value) == shown
    assert seconds(value) == f"{shown} s"


def test_a_difference_says_its_direction() -> None:
    assert (digits(0.98765, "+"), digits(-0.98765, "+"), seconds(12.0, "+")) == ("+0.988", "-0.988", "+12.0 s")


@pytest.mark.parametrize(("share", "shown"), [(0.00498, "0.498 %"), (1.0, "100 %"), (1, "100 %"), (0.0, "0 %")])
def test_shares_are_percentages(share: float, shown: str) -> None:
    assert percent(share) == shown


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-4, max_value=1e12))
def test_what_is_shown_is_what_metadata_holds_and_within_half_of_its_last_digit(value: float) -> None:
    assert float(digits(value).replace(",", "")) == pytest.approx(rounded(value))
    assert rounded(value) == pytest.approx(value, rel=0.005)
    assert rounded(rounded(value)) == rounded(value)


def test_counts_stay_whole() -> None:
    assert rounded(1_234_567) == 1_234_567
