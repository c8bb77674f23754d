"""The figures of a window: exact, whatever the window holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.monitoring import SQL
from lcw_assets.defs.monitoring.changes import read_samples
from lcw_assets.defs.monitoring.sla import Target, judge, load_sla
from lcw_assets.defs.monitoring.sla import shares as shares_of
from lcw_assets.defs.monitoring.slow import read_failures
from lcw_assets.ingest.measures import Measures, Window, read_measures
from lcw_assets.warehouse.schema import tables
from lcw_assets.warehouse.tables import append_row
from lcw_assets_tests.defs.monitoring.facts import HOUR, NOON, call, cycle, database, load, load_times

SLA = load_sla()


def measures(times: Sequence[float | None]) -> Measures:
    with database() as db:
        load_times(db, times)
        return read_measures(db, HOUR, SLA.seconds())


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=40))
def test_every_figure_is_what_numpy_says(times: list[float]) -> None:
    """Quantiles interpolated linearly, numpy's default; every cycle in one band."""
    found = measures(list(times))
    assert found.cycles == found.timed == len(times)
    expected = [np.mean(times), np.min(times), np.max(times), *np.quantile(times, [0.5, 0.95, 0.99])]
    got = [found.mean_s, found.fastest_s, found.slowest_s, found.median_s, found.p95_s, found.p99_s]
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)
    limits = (20, 30, 60)
    bands = [sum(time <= limit for time in times) / len(times) for limit in limits]
    shares = shares_of(found, SLA)
    assert list(shares.values()) == pytest.approx([bands[0], bands[1] - bands[0], bands[2] - bands[1], 1 - bands[2]])


def test_a_limit_belongs_to_the_faster_band() -> None:
    """At most 20 s is fast; 20.001 s is not."""
    assert shares_of(measures([20.0, 20.001, 30.0, 60.0, 60.001]), SLA) == {
        "fast": 0.2,
        "normal": 0.4,
        "slow": 0.2,
        "very_slow": 0.2,
    }


def test_without_cycles_there_is_nothing_to_say_and_nothing_is_broken() -> None:
    found = measures([])
    assert (found.cycles, found.mean_s, found.p99_s, found.error_rate) == (0, None, None, None)
    assert set(shares_of(found, SLA).values()) == {None}
    for targets in (*SLA.sets.values(), SLA.checks.sla_1h):
        assert all(verdict.passed and verdict.value is None for verdict in judge(targets, found))


def test_one_cycle_is_all_its_statistics() -> None:
    found = measures([7.5])
    assert {found.mean_s, found.median_s, found.fastest_s, found.slowest_s, found.p95_s, found.p99_s} == {7.5}


def test_cycles_without_a_usable_time_count_as_cycles_and_not_as_times() -> None:
    """A killed run left a null, a clock that was set back a time below zero; nonsense is nonsense."""
    found = measures([10.0, None, -3600.0, float("nan"), float("inf"), 20.0])
    assert (found.cycles, found.timed, found.untimed, found.mean_s, found.fastest_s) == (6, 2, 4, 15.0, 10.0)


def test_partial_and_failed_cycles_are_counted() -> None:
    with database() as db:
        rows = [cycle(n, HOUR.start, 5.0, status=status) for n, status in enumerate(["complete", "partial", "failed"])]
        load(db, "ops.cycles", rows)
        found = read_measures(db, HOUR, SLA.seconds())
    assert (found.cycles, found.complete, found.partial, found.failed, found.timed) == (3, 1, 1, 1, 3)


def test_a_window_has_its_first_moment_and_not_its_last() -> None:
    midnight = NOON.replace(hour=0)
    day = Window(midnight, midnight + timedelta(days=1))
    edges = [midnight - timedelta(microseconds=1), midnight, day.end - timedelta(microseconds=1), day.end]
    with database() as db:
        rows = [cycle(n, at, 1.0) for n, at in enumerate(edges)]
        load(db, "ops.cycles", rows)
        load(db, "ops.calls", [call(row, "status", 1.0) for row in rows])
        found = read_measures(db, day, SLA.seconds())
    assert (found.cycles, found.calls) == (2, 2)


def test_a_window_across_a_change_of_summer_time_has_as_many_hours_as_any() -> None:
    """Everything is UTC: 29 March 2026 has 24 hours here, and 23 in Berlin."""
    start = NOON.replace(month=3, day=29, hour=0)
    minutes = [start + timedelta(minutes=n) for n in range(24 * 60)]
    with database() as db:
        db.execute("SET TimeZone = 'Europe/Berlin'")
        load(db, "ops.cycles", [cycle(n, at, 1.0) for n, at in enumerate(minutes)])
        assert read_measures(db, Window(start, start + timedelta(days=1)), SLA.seconds()).cycles == 24 * 60


def test_calls_that_failed_make_the_error_rate() -> None:
    with database() as db:
        one = cycle(0, HOUR.start, 5.0)
        load(db, "ops.cycles", [one])
        outcomes = ["ok", "ok", "ok", "timeout"]
        load(db, "ops.calls", [call(one, "coins/list", 1.0, outcome=outcome) for outcome in outcomes])
        assert read_measures(db, HOUR, SLA.seconds()).error_rate == 0.25


@pytest.mark.parametrize(
    ("target", "value", "said"),
    [
        (Target(measure="p99_s", under=45), 99.01, "p99 99.0 s, target under 45 s"),
        (Target(measure="mean_s", under=50.5), 50.5, "mean 50.5 s, target under 50.5 s"),
        (
            Target(measure="share_over", seconds=60, under=0.005),
            0.4,
            "share over 60 s 40.0 %, target under 0.5 %",
        ),
        (
            Target(measure="share_within", seconds=25, at_least=0.95),
            0.25,
            "share within 25 s 25.0 %, target at least 95 %",
        ),
        (Target(measure="complete", at_least=1.01), 1.0, "complete 100 %, target at least 101 %"),
    ],
)
def test_a_missed_target_says_the_number_and_the_limit(target: Target, value: float, said: str) -> None:
    [verdict] = judge([target], measures([float(second) for second in range(1, 101)]))
    assert verdict.value == pytest.approx(value)
    assert not verdict.passed
    assert str(verdict) == said


def test_a_share_at_its_limit_is_met_to_the_last_digit() -> None:
    """1 - 0.98 is a little over 0.02 in floating point."""
    [verdict] = judge([Target(measure="share_over", seconds=60, at_most=0.02)], measures([1.0] * 49 + [61.0]))
    assert verdict.passed


def test_calls_of_the_token_registry_are_no_cycles() -> None:
    """They have jobs, checks and a failure rate of their own: KuCoin's bad day must not break the SLA of cycles."""
    with database() as db:
        one = cycle(0, HOUR.start, 5.0)
        load(db, "ops.cycles", [one])
        load(db, "ops.calls", [call(one, "coins/list", 1.0)])

        def measured() -> tuple[object, ...]:
            return (
                read_measures(db, HOUR, SLA.seconds()),
                read_samples(db, HOUR),
                SQL.rows(db, "endpoints", HOUR.parameters()),
            )

        before = measured()
        failed = {"source": "kucoin", "outcome": "timeout", "http_status": None, "cycle_id": "sync"}
        load(db, "ops.calls", [call(one, "api/v1/contracts/active", 15.0, **failed) for _ in range(9)])
        sync: dict[str, Any] = {column.name: 0 for column in tables()["ops.loads"]} | {
            "load_id": "sync", "kind": "token_registry_sync", "run_id": "run", "source": "kucoin", "currency": None,
            "started_at": HOUR.start, "committed_at": HOUR.start, "scheduled_at": None, "observed_at": None,
            "status": "failed", "missing": [], "detail": {},
        }  # fmt: skip
        append_row(db, "ops.loads", sync)
        after = measured()
        assert after == before
        assert read_failures(db, HOUR) is None
        assert read_measures(db, HOUR, SLA.seconds()).calls == 1
