"""What the sensor `fill_gaps` starts, and what a run of a backfill finds when it begins."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

from lcw_assets.defs.history.plan import Span
from lcw_assets.defs.history.sensors import filled
from lcw_assets.ingest.clock import DAY
from lcw_assets.ingest.rotating import only_one
from lcw_assets.orchestration.dagster_private import RANGE_END_TAG, RANGE_START_TAG
from lcw_assets.settings import DataSettings, load_settings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.history.harness import TODAY, Desk
from lcw_assets_tests.defs.history.test_runs import query, said
from lcw_assets_tests.defs.history.test_store import daily
from lcw_assets_tests.patience import until

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _two_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_BURST", "1000")
    monkeypatch.setenv("LCW_TRACKED_COINS", "BTC,ETH")


def add_gap(kind: str, subject: str, start: datetime, end: datetime) -> None:
    DataSettings().data_dir.mkdir(exist_ok=True)
    with open_database(DataSettings().database) as db:
        db.execute("INSERT INTO ops.gaps VALUES (?, ?, ?, ?, 100, 6, 'a test', ?)", [kind, subject, start, end, NOON])


def test_minutes_without_a_cycle_are_filled_and_begin_no_series(instance: dg.DagsterInstance) -> None:
    add_gap("minutes", "fetch_cycle", NOON - 5 * DAY, NOON - 5 * DAY + timedelta(minutes=20))
    request = filled(instance, load_settings(), NOON)
    assert isinstance(request, dg.RunRequest)
    assert request.job_name == "backfill_coin_5min"
    assert request.run_config["ops"] == {"coin_5min": {"config": {"begins": False}}}
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == ("2026-11-15", "2026-11-15")


def test_days_of_a_series_that_was_begun_go_on_with_it(instance: dg.DagsterInstance) -> None:
    add_gap("history", "history.coin_daily", TODAY - 9 * DAY, TODAY - 3 * DAY)
    request = filled(instance, load_settings(), NOON)
    assert isinstance(request, dg.RunRequest)
    assert request.run_config["ops"] == {"coin_daily": {"config": {"begins": True}}}


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTED"])
def test_gaps_wait_while_any_backfill_runs(
    instance: dg.DagsterInstance, definitions: dg.Definitions, status: str
) -> None:
    add_gap("history", "history.coin_daily", TODAY - 9 * DAY, TODAY - 3 * DAY)
    job = definitions.resolve_job_def("backfill_overview_hourly")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus[status])
    skipped = filled(instance, load_settings(), NOON)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "backfill_overview_hourly is running"
    instance.report_run_canceled(run)
    assert isinstance(filled(instance, load_settings(), NOON), dg.RunRequest)


def test_a_backfill_that_was_interrupted_is_stored_by_the_next_run_of_any_series(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Its process was killed, its responses are in the spool, and what they are of is not requested again."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    dead = Desk(tmp_path / "dead")
    for code in ("BTC", "ETH"):
        dead.spool_response("coin_daily", code, Span(TODAY - 100 * DAY, TODAY), daily(100, [1.0] * 100), NOON + 9 * DAY)
    shutil.copytree(dead.spool.folder, load_settings().of(LCW).history_spool_dir)
    with open_database(DataSettings().database) as db:
        assert db.execute("SELECT count(*) FROM history.asked").fetchall() == [(0,)]
    job = definitions.resolve_job_def("backfill_overview_daily")
    result = job.execute_in_process(instance=instance, tags={"dagster/partition": "2025-12-31"})
    assert "2 responses of a backfill that was interrupted are stored now" in said(instance, result)
    assert query("SELECT code, count(*) FROM history.coin_daily GROUP BY 1 ORDER BY 1") == [("BTC", 100), ("ETH", 100)]
    assert [entry.endpoint for entry in simulator.ledger.entries] == ["credits", "overview/history"]


@pytest.fixture
def disk_instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


def test_a_second_backfill_requests_nothing_before_the_first_has_ended(
    definitions: dg.Definitions,
    disk_instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    results: list[dg.ExecuteInProcessResult] = []
    job = definitions.resolve_job_def("backfill_overview_daily")

    def asked() -> list[str]:
        return [entry.endpoint for entry in simulator.ledger.entries]

    def second() -> None:
        tags = {"dagster/partition": "2025-12-31"}
        results.append(job.execute_in_process(instance=disk_instance, tags=tags, raise_on_error=False))

    def waits() -> bool:
        if results:
            return True
        for run in disk_instance.get_runs():
            lines = [entry.user_message for entry in disk_instance.all_logs(run.run_id)]
            if any("another backfill is running" in line for line in lines):
                return True
        return False

    thread = threading.Thread(target=second)
    with only_one(load_settings().of(LCW).history_lock_file, print):
        thread.start()
        until(waits)
        assert results == []
        assert asked() == []
    thread.join()
    assert results[0].success
    assert asked() == ["credits", "overview/history"]


def test_without_any_tracked_coin_other_gaps_are_searched(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual `top:100`, before the first cycle."""
    monkeypatch.setenv("LCW_TRACKED_COINS", "top:100")
    DataSettings().data_dir.mkdir()
    result = definitions.resolve_job_def("derive").execute_in_process(instance=instance)
    assert result.success
    assert "gaps of coins are not looked for: LCW_TRACKED_COINS=top:100: no coin is known yet" in said(instance, result)
