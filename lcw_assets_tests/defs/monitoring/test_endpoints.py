"""How each endpoint answered, and what counts as an error: with requests that were given up for a faster one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.monitoring import SQL
from lcw_assets.defs.monitoring.sla import load_sla
from lcw_assets.defs.monitoring.slow import read_failures
from lcw_assets.ingest.measures import read_measures
from lcw_assets_tests.defs.monitoring.facts import HOUR, call, cycle, database, load

LIMITS = load_sla().seconds()


def endpoints(calls: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By endpoint, for calls of one cycle."""
    with database() as db:
        one = cycle(0, HOUR.start, 5.0)
        load(db, "ops.cycles", [one])
        load(db, "ops.calls", [{**given, "cycle_id": one["cycle_id"]} for given in calls])
        return {row["endpoint"]: row for row in SQL.rows(db, "endpoints", HOUR.parameters())}


def made(latency_s: float, **values: Any) -> dict[str, Any]:
    return call(cycle(0, HOUR.start, 5.0), "coins/list", latency_s, **values)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_latencies_are_what_numpy_says_to_the_microsecond(latencies: list[float]) -> None:
    """Between two calls, interpolated: of two calls of 1 and 3 s the median is 2."""
    found = endpoints([made(latency) for latency in latencies])["coins/list"]
    got = [found[name] for name in ("median_s", "p95_s", "p99_s")]
    assert got == pytest.approx(np.quantile(latencies, [0.5, 0.95, 0.99]), abs=2e-6)


def test_a_request_that_was_given_up_for_a_faster_one_is_no_error() -> None:
    """A hedge: both requests are calls, and cost credits. Neither has failed."""
    hedged = [made(9.0, outcome="superseded", http_status=None), made(0.5, hedge=True)]
    failed = [made(0.1, outcome="server_error", http_status=503), made(0.4, attempt=2)]
    found = endpoints([*hedged, *failed])["coins/list"]
    assert (found["calls"], found["error_rate"], found["hedges"], found["retries"]) == (4, 0.25, 1, 1)


def test_a_window_whose_calls_were_only_slow_has_no_error_and_no_cause_for_one() -> None:
    with database() as db:
        one = cycle(0, HOUR.start, 5.0)
        load(db, "ops.cycles", [one])
        load(db, "ops.calls", [call(one, "coins/list", 9.0, outcome="superseded"), call(one, "coins/list", 0.5)])
        found = read_measures(db, HOUR, LIMITS)
        assert (found.calls, found.failed_calls, found.error_rate) == (2, 0, 0.0)
        assert read_failures(db, HOUR) is None


def test_the_endpoint_that_is_called_most_comes_first() -> None:
    one = cycle(0, HOUR.start, 5.0)
    rows = [call(one, name, 0.1) for name in ("status", "coins/list", "coins/list", "credits")]
    assert list(endpoints(rows)) == ["coins/list", "credits", "status"]
