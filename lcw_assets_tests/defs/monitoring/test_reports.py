"""The reports as Dagster makes them: on schedules, by hand, and by backfill."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lcw_assets.settings import DataSettings
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.defs.monitoring.facts import call, cycle, load
from lcw_assets_tests.test_escape import rendered


def run(
    definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, **options: Any
) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.materialization.asset_key.to_user_string(): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


@pytest.fixture
def facts() -> datetime:
    """Three cycles: one of an hour ago, a slow one of two hours ago, one of two days ago. Gives the first's start."""
    now = datetime.now(timezone.utc)
    rows = [
        cycle(1, now - timedelta(hours=1), 4.0),
        cycle(2, now - timedelta(hours=2), 45.0),
        cycle(3, now - timedelta(days=2), 6.0),
    ]
    DataSettings().data_dir.mkdir()
    with open_database(DataSettings().database) as db:
        load(db, "ops.cycles", rows)
        load(db, "ops.calls", [call(rows[1], "coins/list", 43.0, request={"offset": 600})])
    return now


def test_a_report_is_in_the_ui_in_a_table_and_in_a_file(
    definitions: dg.Definitions, instance: dg.DagsterInstance, facts: datetime, tmp_path: Path
) -> None:
    result = run(definitions, instance, "performance_report")
    assert result.success
    found = metadata(result)
    report = found["reports/performance_72h"]
    assert (report["cycles"], report["slowest_s"], report["calls"]) == (3, 45.0, 1)
    assert (report["fast"], report["slow"]) == (0.667, 0.333)
    assert (report["short_term missed"], report["ours missed"]) == (1, 3)
    assert "coins/list offset 600 took 43.0 s on attempt 1" in report["report"]
    assert "![cycle time over time](data:image/svg+xml;base64," in report["report"]
    file = DataSettings().report_file
    assert file == tmp_path / "data" / "reports" / "performance.html"
    assert str(report["page"]) == str(file)
    assert "coins/list offset 600 took 43.0 s on attempt 1" in file.read_text()
    slow = found["reports/slow_cycles"]
    assert (slow["dagster/row_count"], slow["rows_added"]) == (1, 1)
    assert slow["cause_codes"] == {"slow_response": 1}
    with open_database(DataSettings().database, read_only=True) as db:
        assert db.execute("SELECT cycles, slowest_s FROM reports.performance_72h").fetchall() == [(3, 45.0)]
        assert db.execute("SELECT cause FROM reports.slow_cycles").fetchall() == [
            ("coins/list offset 600 took 43.0 s on attempt 1",)
        ]


def test_a_cause_that_is_markdown_stays_in_its_cell(
    definitions: dg.Definitions, instance: dg.DagsterInstance, facts: datetime
) -> None:
    with open_database(DataSettings().database) as db:
        db.execute("UPDATE ops.calls SET endpoint = '<img src=x>|[a](https://evil.example)'")
    found = metadata(run(definitions, instance, "performance_report"))
    for text in (found["reports/slow_cycles"]["newest"], found["reports/performance_72h"]["report"]):
        kinds, seen = rendered(text)
        assert not [kind for kind in kinds if kind.startswith(("html", "link"))]
        assert "<img src=x>|[a](https://evil.example) offset 600 took 43.0 s" in seen


def test_a_second_report_adds_a_row_and_no_slow_cycle_twice(
    definitions: dg.Definitions, instance: dg.DagsterInstance, facts: datetime
) -> None:
    run(definitions, instance, "performance_report")
    found = metadata(run(definitions, instance, "performance_report"))
    assert (found["reports/slow_cycles"]["dagster/row_count"], found["reports/slow_cycles"]["rows_added"]) == (1, 0)
    assert found["reports/slow_cycles"]["newest"] == "No slow cycle since the report before."
    with open_database(DataSettings().database, read_only=True) as db:
        assert db.execute("SELECT count(*) FROM reports.performance_72h").fetchall() == [(2,)]


def test_before_any_cycle_a_report_says_so(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """The hour strikes before the first minute has: there is not even a folder."""
    DataSettings().data_dir.mkdir()
    result = run(definitions, instance, "performance_report")
    assert result.success
    assert "No cycle began in this window." in metadata(result)["reports/performance_72h"]["report"]


def test_a_day_is_reported_once_however_often(
    definitions: dg.Definitions, instance: dg.DagsterInstance, facts: datetime
) -> None:
    day = f"{facts - timedelta(days=2):%Y-%m-%d}"
    for _ in range(2):
        result = run(definitions, instance, "performance_day", partition_key=day)
        assert result.success
    assert metadata(result)["reports/performance_daily"]["cycles"] >= 1
    with open_database(DataSettings().database, read_only=True) as db:
        rows = db.execute("SELECT window_start, window_end FROM reports.performance_daily").fetchall()
    start = datetime.fromisoformat(day).replace(tzinfo=timezone.utc)
    assert rows == [(start, start + timedelta(days=1))]


def test_a_backfill_of_days_is_one_run(
    definitions: dg.Definitions, instance: dg.DagsterInstance, facts: datetime
) -> None:
    days = [f"{facts - timedelta(days=back):%Y-%m-%d}" for back in (3, 2, 1)]
    tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
    result = run(definitions, instance, "performance_day", tags=tags)
    assert result.success
    assert metadata(result)["reports/performance_daily"]["days"] == ", ".join(days)
    with open_database(DataSettings().database, read_only=True) as db:
        assert db.execute("SELECT count(*), sum(cycles) > 0 FROM reports.performance_daily").fetchall() == [(3, True)]


def test_a_wrong_sla_file_fails_the_report_in_one_line(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    facts: datetime,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "sla.toml").write_text("x")
    monkeypatch.setenv("LCW_SLA_FILE", str(tmp_path / "sla.toml"))
    result = run(definitions, instance, "performance_report")
    [error, *_] = [
        event.step_failure_data.error
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_FAILURE
    ]
    assert error is not None
    assert f"the SLA file {tmp_path}/sla.toml is not TOML" in error.message


def test_reports_are_on_from_the_start(definitions: dg.Definitions) -> None:
    hourly = definitions.get_schedule_def("performance_report_hourly")
    daily = definitions.get_schedule_def("performance_day_daily")
    assert (hourly.cron_schedule, daily.cron_schedule) == ("7 * * * *", "17 0 * * *")
    assert {hourly.default_status, daily.default_status} == {dg.DefaultScheduleStatus.RUNNING}
    assert {hourly.execution_timezone, daily.execution_timezone} == {"UTC"}
