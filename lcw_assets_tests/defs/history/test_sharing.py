"""What a backfill leaves to others: half of the burst to the minute cycle, and credits to the rest of the day."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lcw_assets.coordination.rate_limit import Rate, RateLimit
from lcw_assets.defs.history.sensors import filled
from lcw_assets.orchestration.dagster_private import RANGE_END_TAG, RANGE_START_TAG
from lcw_assets.settings import load_settings
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.history.test_runs import query


def run(definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, **tags: str) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=tags)


def places_left(file: Path, rate: Rate) -> int:
    """How many calls a minute cycle could make at once now. Tried on a copy, so that none is taken."""
    probe = file.with_suffix(".probe")
    shutil.copy(file, probe)
    limit = RateLimit(probe, rate)
    left = 0
    while not limit.take():
        left += 1
    return left


def test_a_cycle_that_comes_beside_a_backfill_finds_half_of_the_burst(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Looked at with each call of the backfill: 12 of them, where 16 may come at once."""
    left: list[int] = []

    def look(_draw: Draw) -> Fault:
        left.append(places_left(load_settings().of(LCW).rate_limit_file, Rate(per_s=2, burst=16)))
        return Fault()

    monkeypatch.setenv("LCW_BASE_URL", start_simulator(profile=look)[1])
    monkeypatch.setenv("LCW_TRACKED_COINS", "BTC,ETH,DOGE")
    monkeypatch.setenv("LCW_CALLS_PER_S", "2")
    tags = {RANGE_START_TAG: "2025-01-01", RANGE_END_TAG: "2025-12-31"}
    assert run(definitions, instance, "backfill_coin_daily", **tags).success
    assert len(left) == 1 + 12
    assert min(left) >= 8


def test_gaps_are_filled_with_what_is_left_of_the_days_credits(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sensor looks every five minutes, and may spend so much a day, not so much a look."""
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    monkeypatch.setenv("LCW_BURST", "1000")
    monkeypatch.setenv("LCW_TRACKED_COINS", "BTC,ETH")
    run(definitions, instance, "backfill_coin_hourly", **{"dagster/partition": "2025-12-01"})
    run(definitions, instance, "derive")
    [(gap, now)] = query("SELECT calls, found_at FROM ops.gaps")
    assert gap > 20

    def fill(credits_: int, days: int = 0) -> dg.RunRequest | dg.SkipReason:
        return filled(instance, load_settings(LCW_GAP_CREDITS=credits_), now + timedelta(days=days))

    first = fill(20)
    assert isinstance(first, dg.RunRequest)
    spent = cost(first)
    assert 0 < spent <= 20
    done = run(definitions, instance, "backfill_coin_hourly", **first.tags)
    [record] = instance.get_run_records(dg.RunsFilter(run_ids=[done.run_id]))
    now = record.create_timestamp  # on that day, whatever day it is by now
    run(definitions, instance, "derive")
    assert query("SELECT sum(calls) < ? FROM ops.gaps".replace("?", str(gap))) == [(True,)]

    nothing = fill(spent)
    assert isinstance(nothing, dg.SkipReason)
    assert nothing.skip_message == f"no gap that 0 credits of LCW_GAP_CREDITS={spent} can fill"
    assert cost(fill(spent + 2)) <= 2
    assert 2 < cost(fill(spent, days=1)) <= spent  # on the next day it is all there again


def cost(request: Any) -> int:
    assert isinstance(request, dg.RunRequest), request
    return int(request.tags["lcw/credits"])
