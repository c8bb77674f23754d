"""The checks of a sync, each in the state in which it has to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

from lcw_assets.defs.registry.checks import registry_results
from lcw_assets.defs.registry.facts import Phases
from lcw_assets.defs.registry.state import RegistryState
from lcw_assets.defs.registry.store import StoredSync
from lcw_assets.settings import DataSettings
from lcw_assets.simulator.faults import Fault
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import checks
from lcw_assets_tests.defs.registry.syncs import Registry, body, contract

RunSync = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run_sync(definitions: dg.Definitions, instance: dg.DagsterInstance) -> RunSync:
    job = definitions.resolve_job_def("token_registry_sync")
    return lambda: job.execute_in_process(instance=instance, raise_on_error=False)


@pytest.fixture
def synced(run_sync: RunSync, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch) -> RunSync:
    """After a first sync, with which everything is well."""
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", start_simulator(contracts=40)[1])
    assert failed(run_sync()) == {}
    return run_sync


def failed(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """What the failed checks say. A check warns: the sync has succeeded all the same."""
    assert result.success
    found = {name: check for name, check in checks(result).items() if not check.passed}
    assert {check.severity for check in found.values()} <= {dg.AssetCheckSeverity.WARN}
    return {name: check.description or "" for name, check in found.items()}


def change(sql: str) -> None:
    """As somebody with a database tool may, or a fault of ours."""
    with open_database(DataSettings().database) as db:
        db.execute(sql)


def test_a_contract_that_has_two_rows_is_told(synced: RunSync) -> None:
    change("INSERT INTO registry.tokens SELECT * FROM registry.tokens ORDER BY symbol LIMIT 2")
    assert failed(synced()) == {"registry/tokens:symbols_unique": "2 rows too many"}


def test_contracts_that_were_not_seen_for_minutes_are_not_fresh(
    synced: RunSync, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KuCoin gives half an answer each time: that is held, so what is in the table grows old."""
    change("UPDATE registry.tokens SET last_seen = last_seen - INTERVAL 4 MINUTE")
    halves = start_simulator(contracts=40, profile=lambda _: Fault("half"))[1]
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", halves)
    found = failed(synced())
    assert set(found) == {"registry/tokens:no_mass_delisting", "registry/tokens:fresh"}
    assert found["registry/tokens:fresh"].startswith("no contract was seen for 2")  # 240 s and the time of this test


# With the time passed in.


@pytest.fixture
def sync(tmp_path: Path) -> tuple[StoredSync, RegistryState]:
    """A good one, at noon."""
    registry = Registry(tmp_path)
    registry.answer(body(contract("AUSDTM")))
    stored = registry.store()
    assert stored.state
    return stored.syncs[0], stored.state


def wrong(sync: StoredSync, state: RegistryState, now: datetime) -> dict[str, str]:
    results = registry_results(sync, state, now)
    return {result.check_name or "": result.description or "" for result in results if not result.passed}


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (180, None),
        (181, "no contract was seen for 181 s"),
        (-180, None),
        (-181, "seen 181 s ahead of this clock"),
    ],
)
def test_contracts_are_fresh_for_three_minutes(
    sync: tuple[StoredSync, RegistryState], seconds: float, says: str | None
) -> None:
    assert sync[1].newest
    now = sync[1].newest + timedelta(seconds=seconds)
    assert wrong(*sync, now) == ({"fresh": says} if says else {})


def test_where_none_is_listed_none_is_fresh(sync: tuple[StoredSync, RegistryState]) -> None:
    now = datetime(2026, 11, 20, 12, 1, tzinfo=timezone.utc)
    assert wrong(sync[0], replace(sync[1], newest=None), now) == {"fresh": "no contract was ever seen"}


@pytest.mark.parametrize(("seconds", "passed"), [(10.0, True), (10.1, False)])
def test_a_sync_that_took_over_ten_seconds_is_told_with_where_they_went(
    sync: tuple[StoredSync, RegistryState], seconds: float, passed: bool
) -> None:
    slow = replace(sync[0], phases=Phases(api=seconds - 1.5, load=0.5, write=1.0))
    assert sync[1].newest
    found = wrong(slow, sync[1], sync[1].newest)
    said = "sync 10.1 s: api 8.60, load 0.500, process 0, write 1.00, checks 0"
    assert found == ({} if passed else {"sync_time": said})


@pytest.mark.parametrize(("failed_syncs", "passed"), [(2, True), (3, False)])
def test_one_sync_in_twenty_that_fails_is_too_many(
    sync: tuple[StoredSync, RegistryState], failed_syncs: int, passed: bool
) -> None:
    assert sync[1].newest
    found = wrong(sync[0], replace(sync[1], recent=60, failed=failed_syncs), sync[1].newest)
    assert found == ({} if passed else {"failure_rate": "3 of the last hour's 60 syncs failed (5.00 %)"})


def test_failures_are_those_of_the_last_hour(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    for _ in range(3):
        registry.ask("http://127.0.0.1:1")
    registry.store()
    registry.answer(body(contract("AUSDTM")))
    look = registry.store().state
    assert look
    assert (look.failed, look.recent, look.syncs) == (3, 4, 4)
    registry.now += timedelta(minutes=57)
    registry.answer(body(contract("AUSDTM")))
    look = registry.store().state
    assert look
    assert (look.failed, look.recent, look.syncs) == (1, 3, 5)  # of the third minute on
