"""The checks of a cycle's tables, each in the state in which it has to fail, and how long a cycle waits to store."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import lcw_assets.orchestration.warehouse as warehouse_module
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG
from lcw_assets.settings import DataSettings
from lcw_assets.simulator.faults import Fault
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.lock import LOCK_WAIT_S
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_cycle import faulty
from lcw_assets_tests.defs.market.test_fetch_cycle import checks, logs
from lcw_assets_tests.holders import held_open

RunCycle = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "200")


def change(sql: str) -> None:
    """As somebody with a database tool may, or a fault of ours."""
    with open_database(DataSettings().database) as db:
        db.execute(sql)


def failed(result: dg.ExecuteInProcessResult, *tables: str) -> dict[str, str]:
    """What the failed checks of these tables say. A check warns: the cycle has succeeded all the same."""
    assert result.success
    found = {name: check for name, check in checks(result).items() if not check.passed and name.startswith(tables)}
    assert {check.severity for check in found.values()} <= {dg.AssetCheckSeverity.WARN}
    return {name: check.description or "" for name, check in found.items()}


@pytest.mark.parametrize("table", ["market/coins", "market/exchanges"])
def test_a_coin_or_exchange_that_has_two_rows_is_reported(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    assert failed(run_cycle(), "market/") == {}
    name = table.replace("/", ".")
    change(f"INSERT INTO {name} SELECT * FROM {name} ORDER BY code LIMIT 3")
    found = failed(run_cycle(), "market/")
    assert set(found) == {f"{table}:keys_unique"}
    assert found[f"{table}:keys_unique"].startswith("3 rows too many")


def test_the_same_code_in_two_currencies_is_two_coins(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    monkeypatch.setenv("LCW_CURRENCY", "EUR")
    assert failed(run_cycle(), "market/") == {}


def record(endpoint: str, documents: list[dict[str, Any]], folder: Path) -> Path:
    folder.mkdir()
    (folder / f"{endpoint.replace('/', '_')}.json").write_text(json.dumps(documents))
    return folder


@pytest.mark.parametrize(
    "values",
    [
        {"rate": -1}, {"volume": -1}, {"cap": -1}, {"rank": -1}, {"circulatingSupply": -1}, {"totalSupply": -1},
        {"maxSupply": -1}, {"delta": {"hour": -0.1}}, {"delta": {"day": -0.1}},
    ],
    ids=lambda values: next(iter(values)),
)  # fmt: skip
def test_a_coin_with_a_value_below_zero_is_named(
    run_cycle: RunCycle,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    values: dict[str, Any],
) -> None:
    coins = [{"code": "ODD", **values}, {"code": "ZERO", "rate": 0, "delta": {"day": 0}}, {"code": "NONE"}]
    recorded = record("coins/list", coins, tmp_path / "recorded")
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(replay=recorded)[1])
    found = failed(run_cycle(), "market/coins:values_in_range")
    assert found == {"market/coins:values_in_range": "1 rows have values below zero: ODD"}


def test_an_exchange_with_a_value_below_zero_is_named(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exchanges = [{"code": "odd", "volume": -1}, {"code": "dex", "depth": 0, "bidTotal": None}]
    recorded = record("exchanges/list", exchanges, tmp_path / "recorded")
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(replay=recorded)[1])
    found = failed(run_cycle(), "market/exchanges")
    assert found == {"market/exchanges:values_in_range": "1 rows have values below zero: odd"}


@pytest.mark.parametrize(("minutes", "is_fresh"), [(1, True), (3, False)])
def test_coins_that_did_not_come_for_two_cycles_are_not_fresh(
    run_cycle: RunCycle,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
    is_fresh: bool,
) -> None:
    """Only `coins/list` is dead: exchanges come, so the cycle is stored, and the prices in the table grow old."""
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    change(f"UPDATE market.coins SET observed_at = observed_at - INTERVAL {minutes} MINUTE")
    dead = start_simulator(profile=faulty("coins/list", Fault("error", status=400)))[1]
    monkeypatch.setenv("LCW_BASE_URL", dead)
    found = failed(run_cycle(), "market/coins")
    if is_fresh:
        assert found == {}
    else:
        assert found["market/coins:fresh"].startswith("the latest response is over 120 s old: ")


def test_before_any_coin_came_none_is_fresh(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = start_simulator(profile=faulty("coins/list", Fault("error", status=400)))[1]
    monkeypatch.setenv("LCW_BASE_URL", dead)
    assert "market/coins:fresh" in failed(run_cycle(), "market/coins")


def test_a_row_of_a_clock_that_was_ahead_makes_nothing_fresh(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    change("UPDATE market.coins SET observed_at = observed_at - INTERVAL 1 DAY")
    change("UPDATE market.coins SET observed_at = observed_at + INTERVAL 1 YEAR WHERE code = 'BTC'")
    dead = start_simulator(profile=faulty("coins/list", Fault("error", status=400)))[1]
    monkeypatch.setenv("LCW_BASE_URL", dead)
    assert "market/coins:fresh" in failed(run_cycle(), "market/coins")


# How long a cycle waits for the database.


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how many seconds each opening for writing would have waited."""
    asked: list[float] = []

    def opening(*arguments: Any, **options: Any) -> Any:
        if not options.get("read_only"):
            asked.append(options["lock_wait_s"])
        return open_database(*arguments, **options)

    monkeypatch.setattr(warehouse_module, "open_database", opening)
    return asked


@pytest.mark.parametrize(("ago_s", "most_s"), [(0, LOCK_WAIT_S), (42, 3.0), (50, 0.0)])
def test_a_cycle_waits_for_the_database_no_longer_than_until_its_deadline(
    run_cycle: RunCycle,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
    ago_s: float,
    most_s: float,
) -> None:
    """45 s from the tick, and never more than 5 s. Beyond that the next tick would find it running, and skip."""
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    tick = datetime.now(timezone.utc) - timedelta(seconds=ago_s)
    assert run_cycle(tags={SCHEDULED_AT_TAG: tick.isoformat()}).success
    assert len(waits) == 1
    assert 0.0 <= waits[0] <= most_s


def test_past_its_deadline_a_cycle_leaves_a_locked_database_at_once(
    run_cycle: RunCycle,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    tick = datetime.now(timezone.utc) - timedelta(seconds=50)
    with held_open(DataSettings().database):
        result = run_cycle(tags={SCHEDULED_AT_TAG: tick.isoformat()})
    assert result.success
    assert waits[1:] == [0.0]
    assert any(line.startswith("spooled: ") for line in logs(instance, result))
