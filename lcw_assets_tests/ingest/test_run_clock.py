"""Where a cycle's seconds count from. All times are passed in."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lcw_assets.ingest.run_clock import RunClock, read_clock

TICK = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def after(seconds: float) -> datetime:
    return TICK + timedelta(seconds=seconds)


def clock(
    *, scheduled: datetime | None = TICK, created: float = 0.1, process: float = 1.0, now: float = 3.0
) -> RunClock:
    return read_clock(
        scheduled_at=scheduled, run_created_at=after(created), process_started_at=after(process), now=after(now)
    )


def test_a_scheduled_cycle_counts_from_its_tick() -> None:
    read = clock()
    assert (read.started_at, read.late_tick) == (TICK, False)
    assert (read.queue_s, read.start_s) == (1.0, 2.0)


def test_a_manual_cycle_counts_from_its_creation_and_has_not_queued_if_its_process_was_there() -> None:
    read = clock(scheduled=None, created=0.5, process=-20, now=1.25)
    assert read.started_at == after(0.5)
    assert (read.queue_s, read.start_s) == (0.0, 0.75)


def test_a_tick_that_comes_over_a_period_late_is_labelled_and_counts_from_creation() -> None:
    """The daemon was down for an hour and launches the tick that it missed."""
    read = clock(created=3600, process=3601, now=3603)
    assert read.late_tick
    assert (read.started_at, read.queue_s, read.start_s) == (after(3600), 1.0, 2.0)


def test_a_tick_that_is_a_little_late_is_just_slow() -> None:
    read = clock(created=59, process=59.5, now=62)
    assert not read.late_tick
    assert read.queue_s == 59.5


@pytest.mark.parametrize(("now", "left"), [(3.0, 42.0), (30.0, 15.0), (44.0, 5.0), (300.0, 5.0)])
def test_the_deadline_counts_from_the_tick_and_always_leaves_time_to_fetch(now: float, left: float) -> None:
    assert clock(now=now).fetch_time_s(45.0) == pytest.approx(left)


def test_a_clock_that_went_backwards_gives_no_negative_seconds() -> None:
    read = clock(process=1.0, now=-2.0)
    assert read.start_s >= 0
    assert read.queue_s >= 0
