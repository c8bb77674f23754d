"""The job `token_registry_sync` as Dagster runs and shows it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lcw_assets.defs.monitoring.sensors import watch_cycles
from lcw_assets.settings import load_settings
from lcw_assets.simulator.faults import Fault
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.kucoin_futures.spec import SOURCE as KUCOIN
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.alerts.receivers import webhook
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import checks, failure, logs, materialized
from lcw_assets_tests.defs.monitoring.test_sensors import Watch
from lcw_assets_tests.defs.registry.syncs import body, contract
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.servers import raw_server, reply

RunSync = Callable[..., dg.ExecuteInProcessResult]

ASSETS = {"raw/contracts", "registry/tokens", "registry/token_events", "registry/token_snapshots", "ops/syncs"}


@pytest.fixture
def run_sync(definitions: dg.Definitions, instance: dg.DagsterInstance) -> RunSync:
    def run(**options: Any) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("token_registry_sync")
        return job.execute_in_process(instance=instance, raise_on_error=False, **options)

    return run


@pytest.fixture
def stored_instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk, because a sensor opens the instance by itself."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Have KuCoin answer with this body from now on."""
    said = [""]

    def speak(connection: socket.socket) -> None:
        reply("200 OK", said[0].encode())(connection)

    with raw_server(speak) as address:
        monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", address)
        yield lambda text: said.__setitem__(0, text)


def query(sql: str) -> list[tuple[Any, ...]]:
    with open_database(load_settings().database, read_only=True) as db:
        return db.execute(sql).fetchall()


def waiting_alerts() -> list[dict[str, Any]]:
    files = sorted(load_settings().alerts_dir.glob("*.json"))
    return [json.loads(file.read_text())["alert"] for file in files]


def test_without_a_key_a_sync_fills_the_demo_and_says_so(run_sync: RunSync, instance: dg.DagsterInstance) -> None:
    """The embedded simulator, in the run's own process."""
    result = run_sync()
    assert result.success
    metadata = materialized(result)
    assert set(metadata) == ASSETS
    assert {values["source"] for values in metadata.values()} == {"kucoin-simulator"}
    assert load_settings().database.name == "demo.duckdb"
    tokens = metadata["registry/tokens"]
    assert 450 < tokens["contracts"] == tokens["listed"] == tokens["dagster/row_count"]
    assert (tokens["status"], tokens["delisted"], tokens["changed"], tokens["quarantined"]) == ("applied", 0, 0, 0)
    assert tokens["newest_listings"].startswith("| symbol | status | listed |")
    assert len(tokens["newest_listings"].splitlines()) == 12
    assert metadata["registry/token_events"]["rows_added"] == tokens["contracts"]
    found = checks(result)
    assert set(found) == {
        "registry/tokens:symbols_unique", "registry/tokens:no_mass_delisting", "registry/tokens:no_field_lost",
        "registry/tokens:fresh", "ops/syncs:complete", "ops/syncs:sync_time", "ops/syncs:failure_rate",
    }  # fmt: skip
    assert all(check.passed for check in found.values())
    number = r"[\d.,]+"
    line = rf"sync {number} s: api {number}, load {number}, process {number}, write {number}, checks {number}"
    *_, counts, phases = logs(instance, result)
    assert re.fullmatch(line, phases)
    assert counts.startswith(f"{tokens['contracts']:,} contracts: {tokens['contracts']:,} listed, ")
    assert query("SELECT kind, currency FROM ops.loads") == [("token_registry_sync", None)]
    assert query("SELECT source, endpoint, outcome FROM ops.calls") == [
        ("kucoin-simulator", "api/v1/contracts/active", "ok")
    ]
    assert query("SELECT source, length(payload) > 100000 FROM raw.pulls") == [("kucoin-simulator", True)]
    [(total, parts)] = query("SELECT sync_s, api_s + load_s + process_s + write_s + checks_s FROM ops.syncs")
    assert total == pytest.approx(parts)
    assert waiting_alerts() == []  # nobody wants alerts about the first five hundred


def test_a_listing_and_a_delisting_are_reported_once(
    run_sync: RunSync, instance: dg.DagsterInstance, serve: Callable[[str], None]
) -> None:
    first = [contract(f"C{number:02}USDTM") for number in range(40)]
    serve(body(*first))
    run_sync()
    assert waiting_alerts() == []
    serve(body(*first[1:], *(contract(f"NEW{number:02}USDTM") for number in range(13))))
    result = run_sync()
    names = ", ".join(f"NEW{number:02}USDTM" for number in range(10))
    listed, delisted = sorted(waiting_alerts(), key=lambda alert: alert["incident"], reverse=True)
    assert (listed["incident"], listed["kind"], listed["run_id"]) == ("KuCoin futures listing", "news", result.run_id)
    assert listed["what"] == f"13 listed: {names} and 3 more"
    assert delisted["what"] == "1 delisted: C00USDTM"
    assert f"listed: {names} and 3 more" in logs(instance, result)
    run_sync()
    assert len(waiting_alerts()) == 2


def test_where_runs_share_a_terminal_a_sync_says_only_what_is_new(
    run_sync: RunSync,
    serve: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Under `dagster dev`, which says so to the runs that it starts: a line a cycle follows there, and none a sync."""
    monkeypatch.setenv("DAGSTER_IS_DEV_CLI", "1")
    for contracts in ([contract("AUSDTM")], [contract("AUSDTM"), contract("NEWUSDTM")]):
        serve(body(*contracts))
        run_sync()
    assert [line[9:] for line in capfd.readouterr().err.splitlines()] == ["sync: listed: NEWUSDTM"]


def test_the_sensors_deliver_it_within_one_look_and_once(
    run_sync: RunSync,
    stored_instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    serve: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serve(body(contract("AUSDTM")))
    run_sync()
    serve(body(contract("AUSDTM"), contract("NEWUSDTM")))
    run_sync()
    with webhook() as hook:
        monkeypatch.setenv("LCW_ALERT_URLS", f"json://127.0.0.1:{hook.port}/")
        watch = Watch(watch_cycles, stored_instance, definitions)
        for _ in range(2):
            assert watch.evaluate() == "nothing is wrong"
        [told] = hook.received
    assert told["title"] == "lcw-assets news: KuCoin futures listing"
    assert told["message"].splitlines()[0] == "1 listed: NEWUSDTM"
    assert query("SELECT incident, kind FROM ops.alerts") == [("KuCoin futures listing", "news")]
    assert waiting_alerts() == []


def test_a_half_response_is_held_warned_of_and_kept(
    run_sync: RunSync, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", start_simulator()[1])
    run_sync()
    _, halves = start_simulator(profile=lambda _: Fault("half"))
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", halves)
    result = run_sync()
    assert result.success
    [failed] = [name for name, check in checks(result).items() if not check.passed]
    assert failed == "registry/tokens:no_mass_delisting"
    assert any("is held: " in line for line in logs(instance, result))
    assert query("SELECT count(*) FROM registry.tokens WHERE status = 'delisted'") == [(0,)]
    assert query("SELECT count(*) FROM raw.pulls") == [(2,)]
    assert materialized(result)["registry/tokens"]["status"] == "held"


def test_a_renamed_field_is_a_warning_and_no_storm(
    run_sync: RunSync, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", start_simulator()[1])
    run_sync()
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", start_simulator(profile=lambda _: Fault("renamed"))[1])
    result = run_sync()
    check = checks(result)["registry/tokens:no_field_lost"]
    assert not check.passed
    assert "no contract has taker_fee_rate any more" in (check.description or "")
    assert "Unknown fields: takerFee" in (check.description or "")
    assert materialized(result)["registry/tokens"]["changed"] == 0


def test_a_locked_database_is_no_failure_and_the_next_sync_stores_both(
    run_sync: RunSync,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", start_simulator(contracts=20)[1])
    run_sync()
    with held_open(load_settings().database) as holder:
        result = run_sync()
        assert result.success
        assert set(materialized(result)) == {"raw/contracts"}
        [line] = [line for line in logs(instance, result) if line.startswith("spooled: ")]
        assert f"(process {holder.pid})" in line
        assert len(list(load_settings().of(KUCOIN).spool_dir.glob("*.jsonl"))) == 1
    metadata = materialized(run_sync())
    assert metadata["ops/syncs"]["older_loads_stored"] == 1
    assert query("SELECT count(*) FROM ops.syncs WHERE status = 'applied'") == [(3,)]


def test_a_sync_without_a_response_fails_in_one_line_and_leaves_its_facts(
    run_sync: RunSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", "http://127.0.0.1:1")
    result = run_sync()
    assert not result.success
    assert failure(result) == "nothing was answered: http://127.0.0.1:1 refuses connections"
    [(status, calls)] = query("SELECT status, calls FROM ops.syncs")
    assert status == "failed"
    assert query("SELECT count(*) FROM ops.calls WHERE outcome = 'connection'") == [(calls,)]
    found = checks(result)
    assert {name: check.passed for name, check in found.items()} == {
        "registry/tokens:fresh": False, "ops/syncs:complete": False, "ops/syncs:failure_rate": False,
        "ops/syncs:sync_time": True,
    }  # fmt: skip
    assert found["registry/tokens:fresh"].description == "not fresh: there was never a response"
    assert found["ops/syncs:failure_rate"].description == "1 of the last hour's 1 loads failed (100 %)"
    assert set(materialized(result)) == {"ops/syncs"}
    assert materialized(result)["ops/syncs"]["status"] == "failed"
    monkeypatch.delenv("KUCOIN_FUTURES_BASE_URL")
    check = checks(run_sync())["ops/syncs:failure_rate"]
    assert not check.passed
    assert check.description == "1 of the last hour's 2 loads failed (50.0 %)"


def test_a_dead_api_does_not_leave_the_last_good_checks_standing(
    run_sync: RunSync, serve: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four minutes after the last response."""
    serve(body(contract("AUSDTM")))
    assert all(check.passed for check in checks(run_sync()).values())
    with open_database(load_settings().database) as db:
        db.execute("UPDATE registry.tokens SET last_seen = last_seen - INTERVAL 4 MINUTE")
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", "http://127.0.0.1:1")
    found = checks(run_sync())
    assert set(found) == {
        "registry/tokens:fresh",
        *(f"ops/syncs:{name}" for name in ("complete", "failure_rate", "sync_time")),
    }
    fresh, rate = found["registry/tokens:fresh"], found["ops/syncs:failure_rate"]
    assert not fresh.passed
    assert re.fullmatch(r"the latest response is over 180 s old: [\d,]+ s", fresh.description or "")
    assert float(str(fresh.metadata["age_s"].value)) >= 240
    assert not rate.passed
    assert rate.description == "1 of the last hour's 2 loads failed (50.0 %)"


def test_a_failed_sync_that_finds_the_database_locked_says_nothing_of_the_tables(
    run_sync: RunSync, serve: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(body(contract("AUSDTM")))
    run_sync()
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", "http://127.0.0.1:1")
    with held_open(load_settings().database):
        result = run_sync()
    assert failure(result) == "nothing was answered: http://127.0.0.1:1 refuses connections"
    assert (checks(result), materialized(result)) == ({}, {})


def test_with_a_key_a_simulator_is_refused(
    run_sync: RunSync, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_API_KEY", "0d5a1c3e-7b62-4f18-9a4d-2f6e8c0b7d91")
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", start_simulator()[1])
    assert "is a simulator, and in live mode" in failure(run_sync())
    assert load_settings().database.name == "lcw.duckdb"
    assert query("SELECT (SELECT count(*) FROM registry.tokens), (SELECT count(*) FROM raw.pulls)") == [(0, 0)]
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", start_simulator(marked=False)[1])
    result = run_sync()
    assert materialized(result)["registry/tokens"]["source"] == "kucoin"
    assert query("SELECT DISTINCT source FROM ops.calls") == [("kucoin",)]


def test_a_folder_that_cannot_be_written_to_fails_before_any_call(
    run_sync: RunSync, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", address)
    monkeypatch.setenv("LCW_DATA_DIR", "/proc/lcw")
    assert "/proc/lcw/spool/kucoin-simulator takes no responses" in failure(run_sync())
    assert simulator.ledger.entries == ()


def test_the_demo_lives(run_sync: RunSync, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of the simulated market, in four looks: things happen, and each is an event once."""
    now = [NOON]
    simulator = Simulator(clock=lambda: now[0])
    with simulator.serve() as address:
        monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", address)
        for _ in range(4):
            run_sync()
            now[0] += timedelta(minutes=20)
    kinds = dict(query("SELECT event, count(*) FROM registry.token_events GROUP BY event"))
    assert {"listed", "delisted", "parameter_changed"} <= set(kinds)
    twice = query(
        "SELECT symbol, event, field, observed_at FROM registry.token_events GROUP BY ALL HAVING count(*) > 1"
    )
    assert twice == []
