from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.market.plan import plan_cycle, wants_profiles


def test_the_usual_cycle_has_fourteen_calls() -> None:
    calls = plan_cycle(coins=1000, exchanges=100, currency="EUR", meta=True)
    assert len(calls) == 14
    assert [call.endpoint for call in calls[:3]] == ["status", "credits", "overview"]
    assert calls[4].label == "coins/list page 2 of 10"
    assert calls[4].request == {
        "currency": "EUR",
        "sort": "rank",
        "order": "ascending",
        "offset": 100,
        "limit": 100,
        "meta": True,
    }


@pytest.mark.parametrize(
    ("minute", "database_exists", "wanted"), [(None, True, True), (0, True, True), (1, True, False), (1, False, True)]
)
def test_names_and_supplies_are_requested_once_an_hour_by_hand_and_at_first(
    minute: int | None, database_exists: bool, wanted: bool
) -> None:
    tick = None if minute is None else datetime(2026, 11, 20, 12, minute, tzinfo=timezone.utc)
    assert wants_profiles(tick, database_exists=database_exists) == wanted


@given(st.integers(1, 5_000), st.integers(1, 500))
def test_pages_cover_what_was_requested_once(coins: int, exchanges: int) -> None:
    calls = plan_cycle(coins=coins, exchanges=exchanges, currency="USD", meta=False)
    for part, entries in (("coins", coins), ("exchanges", exchanges)):
        pages = [call.request for call in calls if call.part == part]
        covered = [place for page in pages for place in range(page["offset"], page["offset"] + page["limit"])]
        assert covered == list(range(entries))
        assert all(1 <= page["limit"] <= 100 for page in pages)
