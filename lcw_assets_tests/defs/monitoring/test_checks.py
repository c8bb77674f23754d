"""The SLA as a user meets it: in the checks of `ops/cycles`, after a real cycle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from lcw_assets.definitions import defs
from lcw_assets.defs.monitoring.sla import BUILT_IN
from lcw_assets.rounding import seconds
from lcw_assets.settings import DataSettings
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.monitoring.facts import call, cycle, load

RunCycle = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "200")


def write_sla(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: str) -> None:
    """An SLA file in which the line that begins with each name is another."""
    lines = BUILT_IN.read_text().splitlines()
    for name, value in changes.items():
        assert sum(line.startswith(f"{name} = ") for line in lines) == 1
        lines = [f"{name} = {value}" if line.startswith(f"{name} = ") else line for line in lines]
    (folder / "sla.toml").write_text("\n".join(lines))
    monkeypatch.setenv("LCW_SLA_FILE", str(folder / "sla.toml"))


def slow_page(draw: Draw) -> Fault:
    return Fault(delay_s=1.0) if '"offset": 100' in draw.content and draw.endpoint == "coins/list" else Fault()


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        check.check_name: check
        for check in result.get_asset_check_evaluations()
        if check.asset_key == dg.AssetKey(["ops", "cycles"])
    }


def test_a_good_cycle_passes_and_says_its_numbers(run_cycle: RunCycle) -> None:
    checks = evaluations(run_cycle())
    assert set(checks) == {"complete", "cycle_time", "sla_1h", "sla_72h"}
    assert all(check.passed for check in checks.values())
    assert "target at most 30 s" in (checks["cycle_time"].description or "")
    description = checks["sla_72h"].description or ""
    assert description.startswith("1 cycles: p95 ")
    for part in ("p99", "mean", "share over 60 s 0 %", "complete 100 %", "error rate 0 %"):
        assert part in description
    assert checks["sla_72h"].metadata["cycles"].value == 1
    assert float(str(checks["cycle_time"].metadata["cycle_s"].value)) > 0


@pytest.mark.parametrize(
    ("limits", "severity"),
    [({"cycle_warn_s": "0.5"}, "WARN"), ({"cycle_warn_s": "0.5", "cycle_error_s": "0.8"}, "ERROR")],
)
def test_a_slow_cycle_says_the_number_the_limit_and_the_cause(
    run_cycle: RunCycle,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    limits: dict[str, str],
    severity: str,
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(profile=slow_page)[1])
    write_sla(monkeypatch, tmp_path, **limits)
    result = run_cycle()
    assert result.success  # by default no breach blocks
    check = evaluations(result)["cycle_time"]
    assert not check.passed
    assert check.severity.value == severity
    description = check.description or ""
    assert " s, target at most 0.5 s" in description
    cause = description.partition("Likely cause: ")[2]
    assert cause
    with open_database(DataSettings().database, read_only=True) as db:
        [(page_s, rest_s)] = db.execute(
            "SELECT latency_s, cycle_s - latency_s FROM ops.calls JOIN ops.cycles USING (cycle_id) "
            "WHERE request ->> 'offset' = '100'"
        ).fetchall()
    if page_s > rest_s:  # on a busy machine something else may have taken longer
        assert cause.startswith(f"coins/list offset 100 took {seconds(page_s)} on attempt 1")


def test_breaches_of_the_hours_before_are_judged_with_this_cycle(run_cycle: RunCycle) -> None:
    """59 cycles of 5 s and 61 of 70 s, each with a call that failed, in the last two hours."""
    run_cycle()
    now = datetime.now(timezone.utc)
    with open_database(DataSettings().database) as db:
        rows = [
            cycle(number, now - timedelta(minutes=number), 5.0 if number < 60 else 70.0, source="simulator")
            for number in range(1, 120)
        ]
        load(db, "ops.cycles", rows)
        load(db, "ops.calls", [call(row, "coins/list", 68.0, outcome="timeout", http_status=None) for row in rows[59:]])
    checks = evaluations(run_cycle())
    assert checks["cycle_time"].passed
    assert checks["sla_1h"].passed
    check = checks["sla_72h"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    description = check.description or ""
    assert description.startswith("121 cycles: p95 70.0 s, target under 25 s; p99 70.0 s, target under 45 s; mean ")
    assert "share over 60 s 49.6 %, target under 0.5 %" in description
    assert "60 of 60 failed calls met a time-out at coins/list" in description
    assert "with 70.0 s: coins/list took 68.0 s on attempt 1 and ended in a time-out" in description
    assert float(str(check.metadata["p99"].value)) == 70


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"cycle_error_s": "0.0002"}, 1), ({}, 0)],
    ids=["an error fails the run", "a warning fails nothing"],
)
def test_a_breach_that_blocks(
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    limits: dict[str, str],
    code: int,
) -> None:
    """Which checks block is part of the definitions, so this takes a process of its own, as a user's does."""
    write_sla(monkeypatch, tmp_path, cycle_warn_s="0.0001", blocking='["cycle_time"]', **limits)
    project = Project.make_ready(tmp_path / "project")
    done = project.cycle(LCW_BASE_URL=start_simulator()[1], LCW_COINS="100", LCW_SLA_FILE=str(tmp_path / "sla.toml"))
    assert done.returncode == code, done.stdout
    assert ("1 blocking asset check failed with ERROR severity:\n    ops/cycles: cycle_time" in done.stdout) == bool(
        code
    ), done.stdout
    with open_database(project.data / "demo.duckdb", read_only=True) as db:
        assert db.execute("SELECT status FROM ops.cycles").fetchall() == [("complete",)]  # and nothing is lost


def test_a_wrong_sla_file_fails_the_checks_and_no_cycle(
    run_cycle: RunCycle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LCW_SLA_FILE", str(tmp_path / "none.toml"))
    assert defs().resolve_job_def("fetch_cycle")  # it still loads
    result = run_cycle()
    assert result.success
    checks = evaluations(result)
    for name in ("cycle_time", "sla_1h", "sla_72h"):
        assert not checks[name].passed
        assert checks[name].description == (
            f"not checked: the SLA file {tmp_path}/none.toml cannot be read: No such file or directory"
        )


def test_a_cycle_leaves_how_the_machine_was(run_cycle: RunCycle) -> None:
    run_cycle()
    run_cycle()
    with open_database(DataSettings().database, read_only=True) as db:
        rows = db.execute("SELECT * FROM ops.resources ORDER BY measured_at").fetchall()
        names = [column[0] for column in db.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    assert [row["moment"] for row in found] == ["start", "end"] * 2
    assert all(value is not None for row in found for value in row.values())
    for before, after in pairwise(found):
        for counter in ("cpu_busy_s", "cpu_idle_s", "net_received", "net_sent"):
            assert before[counter] <= after[counter]
    assert found[0]["database_bytes"] == 0
    assert found[2]["database_bytes"] > 100_000
    assert {row["spool_depth"] for row in found} == {1}
    assert all(0 < row["memory_used"] < row["memory_total"] for row in found)
