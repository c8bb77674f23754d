"""A dead API must not leave the checks of the last good cycle standing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from lcw_assets.definitions import defs
from lcw_assets.defs.monitoring.failed_checks import failed_checks
from lcw_assets.defs.monitoring.sensors import watch_checks, watch_runs
from lcw_assets.settings import load_settings
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import checks, failure, materialized
from lcw_assets_tests.defs.monitoring.facts import call, cycle, load
from lcw_assets_tests.defs.monitoring.test_checks import write_sla
from lcw_assets_tests.defs.monitoring.test_sensors import Watch, alerts
from lcw_assets_tests.holders import held_open

RunCycle = Callable[..., dg.ExecuteInProcessResult]

DEAD = "http://127.0.0.1:1"
# What there is to say of a cycle that got nothing.
EVALUATED = {
    *(f"ops/cycles:{name}" for name in ("complete", "cycle_time", "sla_1h", "sla_72h")),
    *(f"market/{table}:fresh" for table in ("coins", "exchanges", "overview_ticks")),
}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk, as users have it: what stands in the UI is read from there."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "100")
    monkeypatch.setenv("LCW_CYCLE_DEADLINE_S", "5")


def shown(instance: dg.DagsterInstance) -> dict[str, bool]:
    """What the UI shows of each check: whether its latest evaluation was good. One that is only planned is not."""
    keys = list(defs().resolve_asset_graph().asset_check_keys)
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    return {
        f"{key.asset_key.to_user_string()}:{key.name}": record.status == AssetCheckExecutionRecordStatus.SUCCEEDED
        for key, record in latest.items()
    }


def test_a_failed_cycle_evaluates_its_checks_with_its_own_numbers(
    run_cycle: RunCycle, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    assert run_cycle().success
    assert shown(instance)["ops/cycles:complete"]
    monkeypatch.setenv("LCW_BASE_URL", DEAD)
    result = run_cycle()
    assert not result.success
    assert failure(result) == f"nothing was answered: {DEAD} refuses connections"
    found = checks(result)
    assert set(found) == EVALUATED
    assert not any(found[f"ops/cycles:{name}"].passed for name in ("complete", "sla_1h", "sla_72h"))
    assert not any(shown(instance)[f"ops/cycles:{name}"] for name in ("complete", "sla_1h", "sla_72h"))
    complete = found["ops/cycles:complete"].description or ""
    assert complete.startswith("failed, missing: ")
    assert f"coins/list page 1 of 1: {DEAD} refuses connections" in complete
    window = found["ops/cycles:sla_1h"].description or ""
    assert window.startswith("2 cycles: ")
    assert "complete 50.0 %, target at least 95 %" in window
    assert " failed calls met a broken connection at " in window
    # Of the tables, only those say something that have new rows.
    assert set(materialized(result)) == {"ops/cycles", "ops/calls"}
    assert materialized(result)["ops/cycles"]["status"] == "failed"
    assert materialized(result)["ops/cycles"]["missing"] == 5
    for check in found.values():
        target = check.target_materialization_data
        latest = instance.fetch_materializations(check.asset_key, limit=1).records[0]
        assert target and target.storage_id == latest.storage_id


def test_tables_that_nobody_confirms_any_more_are_not_fresh(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three minutes after the last response."""
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    with open_database(load_settings().database) as db:
        for table, column in (
            ("market.coins", "observed_at"),
            ("market.exchanges", "observed_at"),
            ("raw.pulls", "received_at"),
        ):
            db.execute(f"UPDATE {table} SET {column} = {column} - INTERVAL 3 MINUTE")
    monkeypatch.setenv("LCW_BASE_URL", DEAD)
    found = {name: check for name, check in checks(run_cycle()).items() if name.endswith(":fresh")}
    assert len(found) == 3
    for check in found.values():
        assert not check.passed
        assert check.severity == dg.AssetCheckSeverity.WARN
        assert (check.description or "").startswith("the latest response is over 120 s old: ")
        assert float(str(check.metadata["age_s"].value)) >= 180


def test_an_open_breaker_evaluates_them_as_well(run_cycle: RunCycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three cycles without any response, the last of them just now: this one asks nothing."""
    monkeypatch.setenv("LCW_BASE_URL", DEAD)
    now = datetime.now(timezone.utc)
    load_settings().database.parent.mkdir()
    with open_database(load_settings().database) as db:
        rows = [cycle(n, now - timedelta(seconds=10 * n), 4.0, source="simulator", status="failed") for n in (1, 2, 3)]
        load(db, "ops.cycles", rows)
        dead = {"outcome": "connection", "http_status": None, "source": "simulator"}
        load(db, "ops.calls", [call(row, "coins/list", 0.1, **dead) for row in rows])
    result = run_cycle()
    assert failure(result).startswith("nothing was asked: 3 cycles in a row had no response; the next try is at ")
    found = checks(result)
    assert set(found) == EVALUATED
    assert "coins/list page 1 of 1: nothing was asked: 3 cycles" in (found["ops/cycles:complete"].description or "")
    assert "complete 0 %" in (found["ops/cycles:sla_1h"].description or "")
    assert found["market/coins:fresh"].description == "not fresh: there was never a response"
    assert "age_s" not in found["market/coins:fresh"].metadata


def test_a_failed_cycle_that_finds_the_database_locked_says_nothing_of_the_tables(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    monkeypatch.setenv("LCW_BASE_URL", DEAD)
    with held_open(load_settings().database):
        result = run_cycle()
    assert failure(result) == f"nothing was answered: {DEAD} refuses connections"
    assert (checks(result), materialized(result)) == ({}, {})


def test_a_failed_run_for_one_asset_says_nothing_of_others(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", DEAD)
    keys = {dg.AssetKey(["raw", "overview"]), dg.AssetKey(["market", "overview_ticks"])}
    job = definitions.resolve_job_def("fetch_cycle").get_subset(asset_selection=keys)
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert set(checks(result)) == {"market/overview_ticks:fresh"}
    assert materialized(result) == {}


# Which check reports it.


def test_one_alert_says_it_while_the_api_is_dead_and_the_checks_say_what_is_left_of_it(
    run_cycle: RunCycle,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs, evaluations = Watch(watch_runs, instance, definitions), Watch(watch_checks, instance, definitions)
    address = start_simulator()[1]
    runs.evaluate()
    monkeypatch.setenv("LCW_BASE_URL", DEAD)
    for _ in range(2):
        run_cycle()
        assert runs.evaluate().startswith("open: job fetch_cycle since ")
        assert evaluations.evaluate() == "nothing is wrong"
    assert alerts() == [("job fetch_cycle", "opened", "critical")]
    monkeypatch.setenv("LCW_BASE_URL", address)
    assert run_cycle().success
    # The run is well, and the last hour is not: that is news.
    assert "ops/cycles:sla_1h since " in evaluations.evaluate()
    assert {(incident, kind) for incident, kind, _ in alerts()} == {
        ("job fetch_cycle", "opened"), ("ops/cycles:sla_1h", "opened"), ("ops/cycles:sla_72h", "opened"),
    }  # fmt: skip


def test_a_check_that_was_reported_before_is_not_reported_as_over_by_a_failed_cycle(
    run_cycle: RunCycle,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First a part of the API is dead, then all of it."""
    from lcw_assets.simulator.faults import Fault
    from lcw_assets_tests.defs.market.test_cycle import faulty

    watch = Watch(watch_checks, instance, definitions)
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(profile=faulty("exchanges/list", Fault("error", status=400)))[1])
    run_cycle()
    assert "ops/cycles:complete since " in watch.evaluate()
    monkeypatch.setenv("LCW_BASE_URL", DEAD)
    run_cycle()
    watch.later(200)
    assert "ops/cycles:complete since " in watch.evaluate()
    assert {kind for _, kind, _ in alerts()} == {"opened"}


def test_a_run_that_a_blocking_check_failed_is_reported_by_the_check(
    definitions: dg.Definitions, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It knows the number and the limit; the run knows only that a check blocks."""
    write_sla(monkeypatch, tmp_path, cycle_warn_s="0.0001", cycle_error_s="0.0002", blocking='["cycle_time"]')
    project = Project.make(tmp_path / "project")
    project.run("instance", "info")
    monkeypatch.chdir(project.folder)  # its dagster.yaml names folders from there
    with dg.DagsterInstance.from_config(str(project.folder)) as instance:
        runs = Watch(watch_runs, instance, definitions)
        runs.evaluate()
        sla = str(tmp_path / "sla.toml")
        done = project.cycle(LCW_BASE_URL=start_simulator()[1], LCW_COINS="100", LCW_SLA_FILE=sla)
        assert done.returncode == 1, done.stdout
        assert runs.evaluate() == "nothing is wrong"
        assert Watch(watch_checks, instance, definitions).evaluate().startswith("open: ops/cycles:cycle_time since ")
    assert alerts() == [("ops/cycles:cycle_time", "opened", "critical")]


def test_a_check_of_a_run_that_may_fail_in_a_moment_is_not_told_before_that_is_known(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """A step evaluates its checks, and the run fails a moment later: a look of the sensor may come in between."""
    run = instance.create_run_for_job(definitions.resolve_job_def("fetch_cycle"), status=dg.DagsterRunStatus.STARTED)
    key = dg.AssetCheckKey(dg.AssetKey(["ops", "cycles"]), "complete")
    evaluation = dg.AssetCheckEvaluation(
        asset_key=key.asset_key, check_name=key.name, passed=False, severity=dg.AssetCheckSeverity.WARN
    )
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
        job_name="fetch_cycle",
        event_specific_data=evaluation,
    )
    instance.report_dagster_event(event, run.run_id)
    [record] = instance.event_log_storage.get_asset_check_execution_history(check_key=key, limit=1)
    at = datetime.fromtimestamp(record.create_timestamp, timezone.utc)

    def seen(seconds: float) -> list[str]:
        found = failed_checks(instance, [key], {}, at + timedelta(seconds=seconds))
        return [observation.incident for observation in found]

    assert seen(19) == []
    assert seen(21) == ["ops/cycles:complete"]  # a long run: it is reported while that goes on
    instance.report_run_failed(run)
    assert seen(21) == []
