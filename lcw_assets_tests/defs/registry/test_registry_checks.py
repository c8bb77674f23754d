"""The checks of a sync, each in the state in which it has to fail."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest

from lcw_assets.settings import DataSettings
from lcw_assets.simulator.faults import Fault
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import checks

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


def test_a_contract_that_has_two_rows_is_reported(synced: RunSync) -> None:
    change("INSERT INTO registry.tokens SELECT * FROM registry.tokens ORDER BY symbol LIMIT 2")
    assert failed(synced()) == {"registry/tokens:symbols_unique": "2 rows too many"}


def test_contracts_that_were_not_seen_for_minutes_are_not_fresh(
    synced: RunSync, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KuCoin gives half a response each time: that is held, so what is in the table grows old."""
    change("UPDATE registry.tokens SET last_seen = last_seen - INTERVAL 4 MINUTE")
    halves = start_simulator(contracts=40, profile=lambda _: Fault("half"))[1]
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", halves)
    found = failed(synced())
    assert set(found) == {"registry/tokens:no_mass_delisting", "registry/tokens:fresh"}
    assert found["registry/tokens:fresh"].startswith("the latest response is over 180 s old: 2")  # 240 s and more
