"""Cycles that adapt to the facts of those before them, as Dagster runs them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import dagster as dg
import duckdb
import pytest

from lcw_assets.ingest.tuning import Switches, read_breaker, read_recent
from lcw_assets.settings import DataSettings, load_settings
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import failure, logs
from lcw_assets_tests.defs.monitoring.facts import call, cycle, load
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.patience import PATIENCE_S

RunCycle = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "200")


def remember(cycles: int, ago: timedelta, outcome: str, latency_s: float = 1.0, calls: int = 14) -> None:
    """Facts of cycles before, a minute apart; the last one began `ago`."""
    DataSettings().data_dir.mkdir(exist_ok=True)
    with open_database(DataSettings().database) as db:
        for number in range(cycles):
            at = datetime.now(timezone.utc) - ago - timedelta(minutes=cycles - 1 - number)
            row = cycle(number, at, 5.0, source="simulator")
            rows = [call(row, "coins/list", latency_s, outcome=outcome, source="simulator") for _ in range(calls)]
            load(db, "ops.calls", rows)
            load(db, "ops.cycles", [row])


def statuses() -> list[tuple[str, list[str]]]:
    with open_database(DataSettings().database) as db:
        return db.execute(
            "SELECT status, missing FROM ops.cycles WHERE run_id NOT LIKE 'run-%' ORDER BY cycle_id"
        ).fetchall()


def test_three_cycles_without_a_response_and_the_next_makes_no_call(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    remember(3, timedelta(seconds=20), "server_error")
    result = run_cycle()
    assert not result.success
    assert failure(result).startswith("nothing was asked: 3 cycles in a row had no response; the next try is at ")
    assert len(simulator.ledger.entries) == 0
    [(status, missing)] = statuses()
    assert status == "failed"
    assert missing[0].startswith("status: nothing was asked: 3 cycles in a row")


def test_the_breaker_can_be_switched_off(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    monkeypatch.setenv("LCW_BREAKER", "false")
    remember(3, timedelta(seconds=20), "server_error")
    assert run_cycle().success


def test_after_a_pause_one_call_is_tried_and_where_it_is_answered_all_are(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    remember(3, timedelta(seconds=70), "server_error")
    assert run_cycle().success
    assert len(simulator.ledger.entries) == 6
    assert simulator.ledger.entries[0].endpoint == "status"


def test_where_the_one_call_fails_it_was_the_only_one(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator(profile="down")
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("LCW_CYCLE_DEADLINE_S", "5")
    remember(3, timedelta(seconds=70), "server_error")
    assert not run_cycle().success
    assert {entry.endpoint for entry in simulator.ledger.entries} == {"status"}


def test_a_429_before_means_fewer_calls_at_once(
    run_cycle: RunCycle, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    remember(1, timedelta(minutes=2), "ok")
    remember(1, timedelta(minutes=1), "rate_limited")
    assert any(": 6 calls, 2 at once, simulator" in line for line in logs(instance, run_cycle()))


def test_a_call_that_hangs_is_requested_again(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers took half a second at most for an hour; one hangs now, for ten minutes."""

    def hangs(draw: Draw) -> Fault:
        return Fault(delay_s=PATIENCE_S) if '"offset": 100' in draw.content and draw.turn == 1 else Fault()

    monkeypatch.setenv("LCW_BASE_URL", start_simulator(profile=hangs)[1])
    remember(60, timedelta(minutes=1), "ok", latency_s=0.5)
    assert run_cycle().success
    with open_database(DataSettings().database) as db:
        rows = db.execute("SELECT hedges FROM ops.cycles WHERE run_id NOT LIKE 'run-%'").fetchall()
        facts = db.execute(
            "SELECT hedge, outcome FROM ops.calls WHERE request ->> '$.offset' = '100' ORDER BY started_at"
        ).fetchall()
    assert rows[0][0] >= 1  # a busy machine may make another response late
    assert facts == [(False, "superseded"), (True, "ok")]


def test_a_locked_database_means_a_cold_start_and_no_wait(
    run_cycle: RunCycle, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    remember(9, timedelta(minutes=1), "ok")
    with held_open(DataSettings().database):
        result = run_cycle()
    story = logs(instance, result)
    assert any("no facts to adapt to: " in line for line in story)
    assert any(": 6 calls, 4 at once" in line for line in story)


def test_an_empty_database_is_no_reason_to_fail(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody opened it with DuckDB's command line before the first cycle, which makes a file without tables."""
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    DataSettings().data_dir.mkdir()
    duckdb.connect(str(DataSettings().database)).close()
    assert run_cycle().success


def test_one_endpoint_that_is_dead_costs_its_own_data_and_no_other(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never answers; the rest does, so the cycle ends at its deadline, and is no reason to open the breaker."""

    def dead(draw: Draw) -> Fault:
        return Fault(delay_s=PATIENCE_S) if draw.endpoint == "exchanges/list" else Fault()

    monkeypatch.setenv("LCW_BASE_URL", start_simulator(profile=dead)[1])
    monkeypatch.setenv("LCW_CYCLE_DEADLINE_S", "5")
    assert run_cycle().success
    [(status, missing)] = statuses()
    assert status == "partial"
    assert any(missed.startswith("exchanges/list page 1 of 1: ") for missed in missing)
    settings = load_settings()
    with open_database(settings.database, read_only=True) as db:
        recent = read_recent(db, settings.of(LCW).name, datetime.now(timezone.utc))
    assert read_breaker(recent, Switches(), datetime.now(timezone.utc)).failures == 0
