"""A step that Dagster runs a second time, and a disk that is full before anything is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from lcw_assets.ingest import spool as spool_module
from lcw_assets.ingest.fetch import Fetched
from lcw_assets.settings import load_settings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import failure

RunCycle = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "200")


def query(sql: str) -> list[tuple[Any, ...]]:
    with open_database(load_settings().database, read_only=True) as db:
        return db.execute(sql).fetchall()


def test_what_a_pull_had_before_it_was_tried_again_is_kept(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw, once all was answered. The answers are paid for: both files are stored."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    end, ends = Fetched.end, list[datetime]()

    def fails_once(self: Fetched, started_at: datetime) -> Any:
        ends.append(started_at)
        if len(ends) == 1:
            raise RuntimeError("what nobody foresaw")
        return end(self, started_at)

    monkeypatch.setattr(Fetched, "end", fails_once)
    assert run_cycle().success
    assert len(simulator.ledger.entries) == 12
    assert query("SELECT count(*), count(DISTINCT cycle_id) FROM raw.pulls") == [(12, 2)]
    assert query("SELECT status FROM ops.cycles ORDER BY cycle_id") == [("partial",), ("complete",)]


def test_with_a_full_disk_no_credit_is_spent(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answers could not be kept."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setattr(spool_module, "_ROOM_NEEDED", 10**18)
    result = run_cycle()
    assert not result.success
    assert failure(result).startswith(f"{load_settings().of(LCW).spool_dir}: ")
    assert "MB are free, and a cycle asks for 1000000000000 MB: nothing was asked for" in failure(result)
    assert "LCW_DATA_DIR" in failure(result)
    assert simulator.ledger.entries == ()
