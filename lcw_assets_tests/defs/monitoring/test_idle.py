"""Minutes without a cycle, and ticks that started none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from lcw_assets.defs.monitoring.idle import Idle, Schedule, Tick, most_common_reason, read_idle
from lcw_assets.defs.monitoring.render import render
from lcw_assets.defs.monitoring.report import make_report, read_facts
from lcw_assets.defs.monitoring.sla import load_sla
from lcw_assets.ingest.measures import Window
from lcw_assets_tests.defs.monitoring.facts import HOUR, NOON, cycle, database, load

SLA = load_sla()
RUNNING, QUEUED = "a run of fetch_cycle was STARTED", "a run of fetch_cycle was QUEUED"
LATER = NOON + timedelta(hours=1)


def minute(number: float) -> datetime:
    """So many minutes after eleven."""
    return HOUR.start + timedelta(minutes=number)


def every_minute(*numbers: int, **values: Any) -> list[dict[str, Any]]:
    """A cycle of four seconds in each of these minutes, which pulls from half a second after its tick on."""
    return [
        cycle(number, minute(number) + timedelta(seconds=0.5), 4.0, scheduled_at=minute(number).isoformat(), **values)
        for number in numbers
    ]


def idle(cycles: Sequence[dict[str, Any]], window: Window = HOUR, now: datetime = LATER, **schedule: Any) -> Idle:
    with database() as db:
        load(db, "ops.cycles", cycles)
        return read_idle(db, window, Schedule(now, **schedule))


def spans(found: Idle) -> list[tuple[float, float]]:
    return [
        ((stretch.start - HOUR.start).total_seconds() / 60, (stretch.end - HOUR.start).total_seconds() / 60)
        for stretch in found.stretches
    ]


def test_a_cycle_in_every_minute_leaves_none() -> None:
    found = idle(every_minute(*range(-1, 61)))
    assert (found.examined, found.minutes, found.stretches, found.ticks) == (60, 0, [], [])


def test_the_longest_stretches_come_first() -> None:
    had = set(range(-1, 61)) - {7} - set(range(20, 35)) - {58, 59}
    found = idle(every_minute(*had))
    assert (found.minutes, spans(found)) == (18, [(20, 35), (58, 60), (7, 8)])


def test_what_is_no_cycle_any_more_is_searched_to_the_end_of_the_window() -> None:
    found = idle(every_minute(-5, *range(10)))
    assert (found.minutes, spans(found)) == (50, [(10, 60)])


def test_a_young_installation_is_examined_from_its_first_cycle_on() -> None:
    early = [Tick(minute(3), skipped=True, reason=RUNNING), Tick(minute(45), skipped=True, reason=RUNNING)]
    found = idle(every_minute(40, 41, *range(44, 60)), ticks=early)
    assert (found.examined, spans(found)) == (19, [(42, 44)])
    assert [tick.due_at for tick in found.ticks] == [minute(45)]


def test_before_any_cycle_nothing_is_missing() -> None:
    found = idle([], ticks=[Tick(minute(3), skipped=True, reason=RUNNING)])
    assert (found.examined, found.minutes, found.ticks) == (0, 0, [])


def test_the_minutes_in_which_a_cycle_was_still_running_had_one() -> None:
    """Its tick was skipped for that: it is counted as that alone."""
    slow = cycle(1, minute(10.1), 70.0, scheduled_at=minute(10).isoformat())
    ticks = [Tick(minute(11), skipped=True, reason=RUNNING), Tick(minute(30), skipped=True, reason=QUEUED)]
    found = idle([slow, *every_minute(-1, *range(10), *range(12, 30), *range(31, 60))], ticks=ticks)
    assert spans(found) == [(30, 31)]
    assert (len(found.skipped), found.skipped_for_a_cycle) == (2, 1)


def test_a_cycle_that_waited_in_the_spool_ran_no_longer_for_that() -> None:
    stored_late = cycle(1, minute(10.1), 3000.0, scheduled_at=minute(10).isoformat())
    found = idle([stored_late, *every_minute(-1, *range(10), *range(20, 60))])
    assert spans(found) == [(12, 20)]  # it may have run into the eleventh minute: for 90 s at most


def test_a_cycle_that_waits_in_the_spool_was_one() -> None:
    found = idle(every_minute(-1, *range(50)), spooled=[minute(number) for number in range(50, 58)])
    assert spans(found) == [(58, 60)]


def test_a_late_tick_is_a_cycle_of_the_minute_that_it_ran_in() -> None:
    late = cycle(1, minute(30.2), 4.0, scheduled_at=minute(10).isoformat(), late_tick=True)
    found = idle([late, *every_minute(-1, *range(10), *range(31, 60))])
    assert spans(found) == [(10, 30)]


def test_a_cycle_that_queued_for_minutes_was_there_all_the_time() -> None:
    queued = cycle(1, minute(14.5), 274.0, scheduled_at=minute(10).isoformat(), queue_s=270.0)
    found = idle([queued, *every_minute(-1, *range(10), *range(15, 60))])
    assert found.stretches == []


def test_a_cycle_that_a_person_started_counts() -> None:
    by_hand = cycle(1, minute(10.3), 4.0, scheduled_at=None)
    assert idle([by_hand, *every_minute(-1, *range(10), *range(11, 60))]).stretches == []


def test_the_minute_that_is_not_over_yet_is_not_missed() -> None:
    """The report's own minute: its cycle runs, or is about to be stored."""
    found = idle(every_minute(-1, *range(30)), Window(HOUR.start, minute(31.5)), now=minute(31.5))
    assert (found.examined, found.minutes) == (29, 0)


@pytest.mark.parametrize("cycle_s", [None, float("nan"), -3600.0, 1e6])
def test_times_that_are_none_spoil_nothing(cycle_s: float | None) -> None:
    odd = cycle(99, minute(5.01), cycle_s, scheduled_at=minute(5).isoformat())
    assert idle([odd, *every_minute(-1, *range(5), *range(6, 60))]).stretches == []


def test_ticks_that_dagster_has_forgotten_are_not_told_as_none() -> None:
    assert idle(every_minute(1), ticks_since=minute(10)).ticks_known
    assert not idle(every_minute(1), ticks_since=LATER).ticks_known


def test_the_most_frequent_reason() -> None:
    ticks = [Tick(minute(n), skipped=True, reason=RUNNING if n % 3 else QUEUED) for n in range(8)]
    assert most_common_reason(ticks) == f"{RUNNING} (5 times)"
    assert most_common_reason(ticks[:1]) == f"{QUEUED} (1 time)"
    assert most_common_reason([]) == ""


def test_the_report_says_it_in_both_its_forms() -> None:
    had = set(range(-1, 61)) - {1, 3, 5, 7} - set(range(10, 20)) - set(range(30, 35))
    ticks = [
        *(Tick(minute(number), skipped=True, reason=RUNNING) for number in (12, 21, 22)),
        Tick(minute(13), skipped=False, reason="the code cannot be loaded: <b>"),
    ]
    with database() as db:
        load(db, "ops.cycles", every_minute(*had))
        report = make_report(read_facts(db, HOUR, SLA, Schedule(LATER, ticks)), SLA, NOON)
    markdown, html = render(report, "Cycle times")
    for line in (
        "| minutes without a cycle | 19 of 60 | 2026-11-20 11:10 to 2026-11-20 11:20; 2026-11-20 11:30 to 2026-11-20 "
        "11:35; 2026-11-20 11:01 to 2026-11-20 11:02; 2026-11-20 11:03 to 2026-11-20 11:04; 2026-11-20 11:05 to "
        "2026-11-20 11:06; and 1 shorter |",
        f"| skipped ticks | 3 | 2 while a cycle ran; most often: {RUNNING} (3 times) |",
        "| failed ticks | 1 | `the code cannot be loaded: <b> (1 time)` |",
    ):
        assert line in markdown
    assert "<td>19 of 60</td>" in html
    assert f'<td class="text">2 while a cycle ran; most often: {RUNNING} (3 times)</td>' in html
    assert "the code cannot be loaded: &lt;b&gt; (1 time)" in html


def test_a_report_of_forgotten_ticks_says_so() -> None:
    with database() as db:
        load(db, "ops.cycles", every_minute(*range(60)))
        report = make_report(read_facts(db, HOUR, SLA, Schedule(LATER, ticks_since=LATER)), SLA, NOON)
    markdown, _ = render(report, "Cycle times")
    assert "Dagster has forgotten the ticks of that time" in markdown
    assert "skipped ticks" not in markdown
