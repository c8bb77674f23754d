"""What is missing, as the table `ops.gaps` says it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lcw_assets.defs.history.gaps import Gap, find_gaps, store_gaps
from lcw_assets.defs.history.plan import Span
from lcw_assets.defs.history.series import SERIES
from lcw_assets.ingest.clock import DAY
from lcw_assets_tests.defs.history.harness import NOW, TODAY, Desk
from lcw_assets_tests.defs.history.test_store import daily
from lcw_assets_tests.defs.monitoring.facts import cycle, load


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def gaps(desk: Desk, *codes: str) -> list[Gap]:
    with desk.open() as db:
        return find_gaps(db, codes, "USD", NOW)


def cycles(desk: Desk, *minutes_ago: int) -> None:
    with desk.open() as db:
        load(db, "ops.cycles", [cycle(ago, NOW - timedelta(minutes=ago), 5.0) for ago in minutes_ago])


def test_minutes_without_a_cycle_are_a_gap(desk: Desk) -> None:
    cycles(desk, 9, 8, 4, 3, 2, 1)
    [gap] = gaps(desk)
    assert (gap.kind, gap.subject, gap.missing) == ("minutes", "fetch_cycle", 3)
    assert gap.span == Span(NOW - timedelta(minutes=7), NOW - timedelta(minutes=4))
    assert gap.calls == 0  # not worth any


def test_a_cycle_that_is_running_is_no_gap_and_a_stopped_schedule_is(desk: Desk) -> None:
    cycles(desk, 3, 2)
    assert gaps(desk) == []
    with desk.open() as db:
        [gap] = find_gaps(db, [], "USD", NOW + timedelta(minutes=5))
    assert (gap.missing, gap.span.end) == (6, NOW + timedelta(minutes=5))


def test_hours_without_a_cycle_can_be_had_from_history(desk: Desk) -> None:
    """Three calls a day and coin, once Live Coin Watch is done with restating the day."""
    cycles(desk, 60 * 60, 60 * 50, 60 * 10, *range(1, 60 * 10))
    found = gaps(desk, "BTC", "ETH")
    assert [(gap.missing, gap.calls) for gap in found] == [(2399, 2 * 3), (599, 2 * 3)]


def test_a_cycle_of_a_clock_that_was_ahead_is_no_gap_until_then(desk: Desk) -> None:
    cycles(desk, 3, 2, 1, -60 * 24 * 365)
    assert gaps(desk) == []


def test_an_outage_of_weeks_is_reported_whole(desk: Desk) -> None:
    cycles(desk, 60 * 24 * 20)
    [gap] = gaps(desk)
    assert gap.missing == 60 * 24 * 20 - 1


def test_filling_a_gap_in_minutes_does_not_begin_a_series(desk: Desk) -> None:
    """Otherwise an outage of ten minutes would cost three credits a coin and day, for ever."""
    day = Span(TODAY - 9 * DAY, TODAY - 9 * DAY + SERIES["coin_5min"].window)
    desk.receive("coin_5min", "BTC", day, [], begins=False)
    assert gaps(desk, "BTC") == []
    desk.receive("coin_5min", "BTC", day, [])
    assert [gap.subject for gap in gaps(desk, "BTC")] == ["history.coin_5min"]


def test_days_that_nobody_requested_are_a_gap_of_the_history_that_was_begun(desk: Desk) -> None:
    desk.receive("coin_daily", "BTC", Span(TODAY - 120 * DAY, TODAY - 20 * DAY), daily(120, [1.0] * 100))
    desk.receive("coin_daily", "ETH", Span(TODAY - 110 * DAY, TODAY - 10 * DAY), daily(110, [1.0] * 100))
    [gap] = gaps(desk, "BTC", "ETH", "DOGE")
    assert (gap.kind, gap.subject, gap.span) == ("history", "history.coin_daily", Span(TODAY - 20 * DAY, TODAY - DAY))
    assert (gap.missing, gap.detail, gap.calls) == (28, "28 days of 2 coins", 2)
    assert gaps(desk, "DOGE") == []  # nobody has begun that


def test_two_gaps_of_a_series_are_two(desk: Desk) -> None:
    for first in (100, 60, 20):
        desk.receive("overview_daily", "", Span(TODAY - first * DAY, TODAY - (first - 20) * DAY), [])
    found = gaps(desk)
    assert [gap.span for gap in found] == [
        Span(TODAY - 40 * DAY, TODAY - 20 * DAY),
        Span(TODAY - 80 * DAY, TODAY - 60 * DAY),
    ]
    assert [gap.detail for gap in found] == ["20 days"] * 2


def test_a_coin_that_stopped_is_named(desk: Desk) -> None:
    with desk.open() as db:
        rows = [("BTC", 1, NOW), ("GONE", 990, NOW - timedelta(hours=5)), ("LATE", 991, NOW - timedelta(minutes=2))]
        for code, rank, at in rows:
            db.execute(
                "INSERT INTO market.coins (code, currency, rank, observed_at, changed_at, cycle_id) "
                "VALUES (?, 'USD', ?, ?, ?, 'c')",
                [code, rank, at, at],
            )
    [gap] = gaps(desk)
    assert (gap.kind, gap.subject, gap.missing, gap.calls) == ("coin", "GONE", 300, 0)
    assert gap.detail.startswith("last seen at rank 990")


def test_the_table_says_what_is_missing_now(desk: Desk) -> None:
    cycles(desk, 9, 1)
    with desk.open() as db:
        store_gaps(db, find_gaps(db, [], "USD", NOW), NOW)
        store_gaps(db, find_gaps(db, [], "USD", NOW), NOW)
        assert db.execute("SELECT kind, missing, found_at FROM ops.gaps").fetchall() == [("minutes", 7, NOW)]
        store_gaps(db, [], NOW)
        assert db.execute("SELECT count(*) FROM ops.gaps").fetchall() == [(0,)]


@pytest.mark.parametrize(("missing", "calls"), [(9, 0), (10, 3)])
def test_ten_minutes_without_a_cycle_are_worth_filling_and_nine_are_not(desk: Desk, missing: int, calls: int) -> None:
    """A call brings eight hours of a coin, three of them the day."""
    cycles(desk, *range(3000 + missing + 1, 3000 + missing + 100), *range(1, 3001))
    [gap] = gaps(desk, "BTC")
    assert (gap.missing, gap.calls) == (missing, calls)


def test_a_minute_whose_cycle_failed_is_a_gap(desk: Desk) -> None:
    with desk.open() as db:
        rows = [
            cycle(ago, NOW - timedelta(minutes=ago), 5.0, status="failed" if ago == 4 else "partial")
            for ago in range(1, 9)
        ]
        load(db, "ops.cycles", rows)
    [gap] = gaps(desk)
    assert gap.span == Span(NOW - timedelta(minutes=4), NOW - timedelta(minutes=3))


def test_an_outage_of_the_month_before_is_no_gap_any_more(desk: Desk) -> None:
    """History of five minutes cannot be had for it, and it is no news."""
    cycles(desk, *range(60 * 24 * 20, 60 * 24 * 20 + 5), *range(1, 60 * 24 * 8))
    assert gaps(desk) == []


@pytest.mark.parametrize(("minutes", "stopped"), [(60, False), (61, True)])
def test_a_coin_has_stopped_when_it_was_not_seen_for_an_hour(desk: Desk, minutes: int, stopped: bool) -> None:
    with desk.open() as db:
        for code, at in (("BTC", NOW), ("GONE", NOW - timedelta(minutes=minutes))):
            db.execute(
                "INSERT INTO market.coins (code, currency, rank, observed_at, changed_at, cycle_id) "
                "VALUES (?, 'USD', 1, ?, ?, 'c')",
                [code, at, at],
            )
    assert [gap.subject for gap in gaps(desk)] == (["GONE"] if stopped else [])
