"""A step that Dagster runs a second time, and a disk that is full before any call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from lcw_assets.defs.market.load import CycleHooks
from lcw_assets.ingest import spool as spool_module
from lcw_assets.ingest.fetch import Fetched
from lcw_assets.settings import load_settings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import ASSETS, checks, failure, materialized

RunCycle = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "200")


def query(sql: str) -> list[tuple[Any, ...]]:
    with open_database(load_settings().database, read_only=True) as db:
        return db.execute(sql).fetchall()


def fails_first(monkeypatch: pytest.MonkeyPatch, of: type, name: str) -> list[str]:
    """A method that raises what nobody foresaw, the first time; gives its calls."""
    real, calls = getattr(of, name), list[str]()

    def method(*arguments: Any) -> Any:
        calls.append(name)
        if len(calls) == 1:
            raise RuntimeError("what nobody foresaw")
        return real(*arguments)

    monkeypatch.setattr(of, name, method)
    return calls


def test_what_a_fetch_had_before_it_was_tried_again_is_kept(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw, once all was answered. The responses are paid for: both files are stored."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    fails_first(monkeypatch, Fetched, "end")
    assert run_cycle().success
    assert len(simulator.ledger.entries) == 12
    assert query("SELECT count(*), count(DISTINCT cycle_id) FROM raw.pulls") == [(12, 2)]
    assert query("SELECT status FROM ops.cycles ORDER BY cycle_id") == [("partial",), ("complete",)]


def test_what_was_fetched_before_a_step_is_tried_again_is_stored_by_the_second_try(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw, once: nothing is paid for twice, and nothing is said twice."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    tries = fails_first(monkeypatch, CycleHooks, "store")
    result = run_cycle()
    assert result.success
    assert len(tries) == 2
    assert len(simulator.ledger.entries) == 6
    said = [event.materialization.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
    assert sorted(said) == sorted(ASSETS)
    assert query("SELECT status, calls FROM ops.cycles") == [("complete", 6)]


def test_a_second_try_that_stores_a_load_that_got_nothing_fails_as_the_first_would_have(
    run_cycle: RunCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LCW_CYCLE_DEADLINE_S", "5")
    fails_first(monkeypatch, CycleHooks, "store")
    result = run_cycle()
    assert not result.success
    assert failure(result).startswith("nothing was answered: ")
    assert failure(result).endswith(": http://127.0.0.1:1 refuses connections")
    assert set(materialized(result)) == {"ops/cycles", "ops/calls"}
    assert not checks(result)["ops/cycles:complete"].passed
    assert query("SELECT status FROM ops.cycles") == [("failed",)]


def test_with_a_full_disk_no_credit_is_spent(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The responses could not be kept."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setattr(spool_module, "_FREE_NEEDED", 10**18)
    result = run_cycle()
    assert not result.success
    assert failure(result).startswith(f"{load_settings().of(LCW).spool_dir}: ")
    assert "MB are free, and a cycle asks for 1000000000000 MB: nothing was asked for" in failure(result)
    assert "LCW_DATA_DIR" in failure(result)
    assert simulator.ledger.entries == ()
