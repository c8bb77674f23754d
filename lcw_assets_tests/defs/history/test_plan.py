"""Which windows a backfill requests: all that is wanted, nothing twice, as few calls as there can be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.history.plan import Plan, Span, joined, uncovered, windows
from lcw_assets.defs.history.series import FIRST, SERIES
from lcw_assets.ingest.clock import DAY

TODAY = datetime(2026, 11, 20, tzinfo=timezone.utc)
DAILY = SERIES["coin_daily"]


def days(first: int, last: int) -> Span:
    """From the `first` day before today to before the `last`."""
    return Span(TODAY - first * DAY, TODAY - last * DAY)


def plan(series: str, wanted: Span, *codes: str) -> Plan:
    return Plan(SERIES[series], wanted, TODAY, dict.fromkeys(codes, ()))


@pytest.mark.parametrize(
    ("series", "length", "calls"),
    [("coin_daily", 365, 4), ("coin_hourly", 365, 92), ("coin_5min", 7, 21), ("overview_daily", 1, 1)],
)
def test_a_call_brings_as_many_points_as_it_can(series: str, length: int, calls: int) -> None:
    made = plan(series, days(length, 0), "BTC")
    assert made.calls == calls == len(list(made.requests()))


def test_a_year_of_a_thousand_coins_costs_four_thousand_calls() -> None:
    assert plan("coin_daily", days(365, 0), *(f"C{number}" for number in range(1000))).calls == 4000


def test_a_window_requests_its_last_point_and_not_the_one_after_it() -> None:
    request = DAILY.request("BTC", "USD", TODAY - 100 * DAY, TODAY)
    start, end = int((TODAY - 100 * DAY).timestamp()) * 1000, int(TODAY.timestamp()) * 1000
    assert request == {"currency": "USD", "code": "BTC", "meta": False, "start": start, "end": end - 1}
    assert SERIES["overview_daily"].request("", "EUR", TODAY - DAY, TODAY).keys() == {"currency", "start", "end"}


def test_the_newest_windows_of_all_coins_come_first() -> None:
    requests = list(plan("coin_daily", days(300, 0), "BTC", "ETH").requests())
    assert [request.code for request in requests] == ["BTC", "ETH"] * 3
    assert [request.window for request in requests[::2]] == [days(100, 0), days(200, 100), days(300, 200)]


def test_what_a_window_has_room_for_is_taken_from_what_is_not_there_yet() -> None:
    [newer, older] = windows(days(150, 0), (), DAILY.window, TODAY)
    assert (newer, older) == (days(100, 0), days(200, 100))  # 50 days before what is wanted, and none twice
    [window] = windows(days(150, 140), (days(400, 150),), DAILY.window, TODAY)
    assert window == days(150, 50)


@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
def test_days_one_by_one_cost_no_more_than_all_at_once(order: int) -> None:
    """`dagster job backfill` starts a run a day: each finds what those before it have requested."""
    covered: tuple[Span, ...] = ()
    calls = 0
    for day in sorted(range(1, 366), reverse=order > 0):
        for window in windows(days(day, day - 1), covered, DAILY.window, TODAY):
            covered = tuple(sorted((*covered, window)))
            calls += 1
    assert calls == 4


def test_no_window_reaches_beyond_yesterday_or_before_2014() -> None:
    [newest] = windows(days(1, 0), (), DAILY.window, TODAY)
    assert newest == days(100, 0)  # as long as ever: a shorter one would have a finer step
    [oldest] = windows(Span(FIRST, FIRST + DAY), (), DAILY.window, TODAY)
    assert oldest == Span(FIRST, FIRST + 100 * DAY)


def test_what_is_unknown_or_there_is_not_requested() -> None:
    made = Plan(DAILY, days(10, 0), TODAY, {"BTC": (days(200, 0),), "NOSUCH": (), "ETH": ()}, {"NOSUCH": "unknown"})
    assert [(ask.code, ask.window) for ask in made.requests()] == [("ETH", days(100, 0))]
    assert made.calls == 1


spans = st.builds(lambda first, length: days(first, max(0, first - length)), st.integers(1, 900), st.integers(1, 400))


@given(spans, st.lists(spans, max_size=6), st.sampled_from(["coin_daily", "coin_hourly", "coin_5min"]))
def test_windows_cover_all_that_is_wanted(wanted: Span, covered: list[Span], name: str) -> None:
    length = SERIES[name].window
    if name == "coin_5min":
        wanted = Span(wanted.start, min(wanted.end, wanted.start + 20 * DAY))
    merged = tuple(_union(covered))
    found = list(windows(wanted, merged, length, TODAY))
    assert list(uncovered(wanted, [*merged, *found])) == []
    missing = list(uncovered(wanted, merged))
    for window in found:
        assert window.length == length or window.start == FIRST
        assert FIRST <= window.start < window.end <= TODAY
        assert any(window.start < span.end and span.start < window.end for span in missing)  # none is for nothing
    assert len(found) <= sum(-(-span.length // length) for span in missing)
    assert found == sorted(found, reverse=True)


@given(spans, st.lists(spans, max_size=6))
def test_what_is_not_covered_is_the_rest(wanted: Span, covered: list[Span]) -> None:
    left = list(uncovered(wanted, covered))
    day = wanted.start
    while day < wanted.end:
        there = any(span.start <= day < span.end for span in covered)
        assert there != any(span.start <= day < span.end for span in left)
        day += timedelta(days=1)


def _union(given_spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(given_spans):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def test_spans_that_touch_or_overlap_are_one_stretch() -> None:
    assert joined([days(5, 3), days(20, 10), days(10, 8), days(4, 2)]) == [days(20, 8), days(5, 2)]
    assert joined([days(20, 1), days(10, 8)]) == [days(20, 1)]
    assert joined([]) == []
