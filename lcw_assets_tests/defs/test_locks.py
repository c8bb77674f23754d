"""Somebody has the database open, and no run fails for it: those that can wait do, and say so once."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lcw_assets.defs.history.definitions import derive_every_ten_minutes
from lcw_assets.defs.history.sensors import filled
from lcw_assets.orchestration.resources import warehouse
from lcw_assets.settings import DataSettings, load_settings
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.lock import PATIENCE_S
from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.holders import Clock, held_open, waits_by

YESTERDAY = f"{datetime.now(timezone.utc) - timedelta(days=1):%Y-%m-%d}"
JOBS = {
    "derive": {},
    "performance_report": {},
    "performance_day": {"dagster/partition": YESTERDAY},
    "backfill_overview_daily": {"dagster/partition": "2025-12-31"},
}


@pytest.fixture(autouse=True)
def _a_database(start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    DataSettings().data_dir.mkdir(mode=0o700)
    with open_database(DataSettings().database):
        pass


def said(instance: dg.DagsterInstance, run_id: str, sign: str) -> list[str]:
    return [entry.user_message for entry in instance.all_logs(run_id) if sign in entry.user_message]


def innermost(result: dg.ExecuteInProcessResult) -> Any:
    [error, *_] = [
        event.step_failure_data.error
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_FAILURE
    ]
    assert error is not None
    while error.cause is not None:
        error = error.cause
    return error


@pytest.mark.parametrize("job", JOBS)
def test_a_notebook_that_is_open_for_150_seconds_fails_nothing(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    with held_open(DataSettings().database) as holder:
        clock = waits_by(monkeypatch, Clock(holder, open_for_s=150))
        result = definitions.resolve_job_def(job).execute_in_process(instance=instance, tags=JOBS[job])
    assert result.success
    assert clock.now >= 150
    [line] = said(instance, result.run_id, "is held open by")
    assert f"(process {holder.pid}): this waits for up to " in line


@dg.asset(required_resource_keys={"warehouse"})
def movers(context: dg.AssetExecutionContext) -> None:
    with context.resources.warehouse.get_connection() as db:
        db.execute("CREATE TABLE market.movers AS SELECT 1 AS a")


def test_an_asset_of_a_users_own_waits_as_well(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_open(DataSettings().database) as holder:
        waits_by(monkeypatch, Clock(holder, open_for_s=150))
        result = dg.materialize([movers], instance=instance, resources={"warehouse": warehouse})
    assert result.success
    [line] = said(instance, result.run_id, "is held open by")
    assert f"(process {holder.pid}): this waits for up to 1 h" in line


@pytest.mark.parametrize("job", JOBS)
def test_a_lock_that_outlasts_a_run_ends_it_in_one_line_of_a_kind_of_its_own(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    """All steps together wait no longer than the run may take: Dagster would end it without a word."""
    database = DataSettings().database
    clock = waits_by(monkeypatch, Clock())
    with held_open(database) as holder:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance, tags={**JOBS[job], "dagster/max_runtime": "200"}, raise_on_error=False
        )
    assert not result.success
    assert 170 < clock.now < 200
    error = innermost(result)
    assert error.cls_name == "StillLockedError"  # so that whoever alerts can tell it from what is broken
    message = error.message.partition(": ")[2].strip()
    assert message.startswith(f"{database} is held open by ")
    assert f"(process {holder.pid}), and was for the 180 s that this waited. " in message
    assert len(message.splitlines()) == 1
    assert "STEP_UP_FOR_RETRY" not in {str(event.event_type_value) for event in result.all_events}


@pytest.mark.parametrize("job", JOBS)
def test_runs_may_take_as_long_as_they_wait(definitions: dg.Definitions, job: str) -> None:
    assert float(definitions.resolve_job_def(job).tags["dagster/max_runtime"]) >= PATIENCE_S + 600


def test_on_a_terminal_that_is_a_line_without_a_traceback(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    project.run("instance", "info")
    project.data.mkdir(mode=0o700)
    with held_open(project.data / "demo.duckdb") as holder:
        done = project.run(
            *("job", "execute", "-m", "lcw_assets.definitions", "-j", "derive"),
            *("--tags", '{"dagster/max_runtime": "4"}'),
        )
    assert done.returncode == 1
    [line, *_] = [line for line in done.stdout.splitlines() if "coin_bars: failed: " in line]
    assert "demo.duckdb is held open by " in line
    waited = r"(, and was for the \d s that this waited)?"
    assert re.search(
        rf"\(process {holder.pid}\){waited}\. The tables are as they were, and the next run does it$", line
    )
    assert "Traceback" not in done.stdout
    assert "Stack Trace" not in done.stdout


def test_a_sensor_that_needs_the_file_skips_in_words(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_by(monkeypatch, Clock())
    with held_open(DataSettings().database) as holder:
        skipped = filled(instance, load_settings(), datetime.now(timezone.utc))
    assert isinstance(skipped, dg.SkipReason)
    assert "demo.duckdb is held open by " in str(skipped.skip_message)
    assert f"(process {holder.pid})" in str(skipped.skip_message)


def test_a_waiting_run_is_not_joined_by_the_next_tick(definitions: dg.Definitions, tmp_path: Path) -> None:
    """Ticks come every ten minutes, and a run may wait an hour. On disk: a schedule opens the instance by itself."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:

        def tick() -> dg.RunRequest | dg.SkipReason:
            moment = datetime(2026, 11, 20, 12, 4, tzinfo=timezone.utc)
            with dg.build_schedule_context(
                instance=instance, scheduled_execution_time=moment, repository_def=definitions.get_repository_def()
            ) as context:
                result = derive_every_ten_minutes(context)
            assert isinstance(result, dg.RunRequest | dg.SkipReason)
            return result

        assert isinstance(tick(), dg.RunRequest)
        run = instance.create_run_for_job(definitions.resolve_job_def("derive"), status=dg.DagsterRunStatus.STARTED)
        skip = tick()
    assert isinstance(skip, dg.SkipReason)
    assert f"run {run.run_id} of derive is STARTED" in (skip.skip_message or "")


@pytest.mark.parametrize("said", ["banana", "nan", "inf", ""])
def test_a_maximum_runtime_that_says_nothing_ends_no_wait(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    with held_open(DataSettings().database) as holder:
        waits_by(monkeypatch, Clock(holder, open_for_s=20))
        result = definitions.resolve_job_def("performance_day").execute_in_process(
            instance=instance, tags={**JOBS["performance_day"], "dagster/max_runtime": said}
        )
    assert result.success
