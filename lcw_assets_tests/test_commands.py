"""The commands that a user types, as processes of their own, and what they leave on the terminal and the disk."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from lcw_assets_tests.commands import CYCLE, Project
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.patience import PATIENCE_S

KEY = "k3y-that-nobody-may-see"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.make_ready(tmp_path / "project")


def assert_nowhere(secret: str, folder: Path, *texts: str) -> None:
    """Neither on a terminal nor in any file: spool, database, event logs, compute logs."""
    for text in texts:
        assert secret not in text
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) > 5
    for file in files:
        assert secret.encode() not in file.read_bytes(), file


def test_a_newcomer_gets_a_cycle_and_a_summary(project: Project) -> None:
    first = project.cycle(LCW_COINS="200")
    assert first.returncode == 0, first.stdout
    assert "200 coins seen, 200 changed" in first.stdout
    assert "DEBUG" not in first.stdout
    assert "Warning" not in first.stdout
    summary = project.run("lcw_assets")
    assert summary.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in summary.stdout.splitlines() if line)
    assert lines["cycle"].endswith("from simulator")
    assert lines["rows"] == "200 coins, 200 changed, 0 quarantined"
    assert lines["seconds"].count("+") == 5
    assert str(project.data / "demo.duckdb") in lines["data"]
    assert "http://127.0.0.1:3000" in lines["look"]
    left = {path.name for path in project.folder.iterdir()}
    assert left <= {"dagster.yaml", "workspace.yaml", "data", ".dagster", ".telemetry", ".nux", ".logs_queue"}


def test_a_key_appears_nowhere_whether_right_or_wrong(project: Project, start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator(api_key=KEY, marked=False)
    good = project.cycle(LCW_API_KEY=KEY, LCW_BASE_URL=address, LCW_COINS="100")
    assert good.returncode == 0, good.stdout
    asked = len(simulator.ledger.entries)
    wrong = project.cycle(LCW_API_KEY=f"wrong-{KEY}", LCW_BASE_URL=address, LCW_COINS="100")
    assert wrong.returncode == 1
    assert "failed: nothing was answered: Live Coin Watch refused the key (401): check LCW_API_KEY" in wrong.stdout
    assert "Traceback" not in wrong.stdout
    assert "Stack Trace" not in wrong.stdout
    assert len(simulator.ledger.entries) - asked <= 5  # no call was tried again, and none after the refusal
    assert_nowhere(KEY, project.folder, good.stdout, wrong.stdout)
    with duckdb.connect(str(project.data / "lcw.duckdb")) as db:
        assert db.execute("SELECT source, status FROM ops.cycles ORDER BY cycle_id").fetchall() == [
            ("lcw", "complete"),
            ("lcw", "failed"),
        ]
    assert not (project.data / "demo.duckdb").exists()


def test_a_simulator_is_not_taken_for_the_real_thing(project: Project, start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    done = project.cycle(LCW_API_KEY=KEY, LCW_BASE_URL=address)
    assert done.returncode == 1
    assert f"{address} is a simulator" in done.stdout
    assert "set LCW_MODE=demo" in done.stdout


def test_settings_from_a_dotenv_file_count(project: Project) -> None:
    (project.folder / ".env").write_text("LCW_COINS=0\n")
    done = project.cycle()
    assert done.returncode == 1
    assert "cycle: failed: LCW_COINS=0 is out of range: it must be a number from 1 to 50000" in done.stdout
    assert "Stack Trace" not in done.stdout


def test_the_terminal_misses_nothing_where_the_mirror_is_late(project: Project, tmp_path: Path) -> None:
    """Dagster mirrors what a step prints through `tail`, and ends it with the step: here it never gets to its work."""
    late = tmp_path / "tail"
    late.write_text("#!/bin/sh\nexec sleep 600\n")
    late.chmod(0o755)
    done = project.cycle(LCW_COINS="0", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert "cycle: failed: LCW_COINS=0 is out of range" in done.stdout
    assert "run: failed\n" in done.stdout


def test_where_runs_share_a_terminal_a_cycle_is_a_line(project: Project) -> None:
    """Under `dagster dev`, which says so to the runs that it starts."""
    done = project.cycle(LCW_COINS="200", DAGSTER_IS_DEV_CLI="1")
    [line] = done.stdout.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d cycle: stored .* 200 coins seen, .* the cycle took [\d.]+ s", line)
    failed = project.cycle(LCW_COINS="0", DAGSTER_IS_DEV_CLI="1")
    assert "cycle: failed: LCW_COINS=0 is out of range" in failed.stdout


def test_a_run_that_is_interrupted_says_so_in_a_line(project: Project) -> None:
    """Ctrl-C, while the API takes its time."""
    silent = socket.create_server(("127.0.0.1", 0))
    silent.settimeout(120)
    (project.folder / "run.yaml").write_text("loggers: {console: {}}")
    day = ("--tags", '{"dagster/partition": "2025-06-01"}', "--config", "run.yaml")
    command = project.command("job", "execute", "-m", "lcw_assets.definitions", "-j", "backfill_overview_daily", *day)
    variables = project.environment(LCW_BASE_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
    with (
        silent,
        subprocess.Popen(
            command, cwd=project.folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        silent.accept()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[0].decode()
    assert process.returncode != 0
    assert re.search(r"^\d\d:\d\d:\d\d overview_daily: interrupted$", said, re.MULTILINE), said
    assert "Stack Trace" not in said


def test_two_cycles_at_once_are_both_stored(project: Project, start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    variables = project.environment(LCW_BASE_URL=address, LCW_COINS="300")
    both = [
        subprocess.Popen(
            project.command(*CYCLE), cwd=project.folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=PATIENCE_S)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    with duckdb.connect(str(project.data / "demo.duckdb")) as db:
        assert db.execute("SELECT count(*), count(DISTINCT run_id) FROM ops.cycles").fetchall() == [(2, 2)]
        assert db.execute("SELECT count(*) FROM raw.pulls").fetchall() == [(14,)]
        assert db.execute("SELECT count(*), count(DISTINCT code) FROM market.coins").fetchall() == [(300, 300)]
        assert db.execute("SELECT count(*) FROM market.coin_ticks").fetchall() == [(300,)]


def test_the_summary_says_what_is_wrong(project: Project) -> None:
    nothing = project.run("lcw_assets")
    assert nothing.returncode == 1
    assert nothing.stdout == f"{project.data / 'demo.duckdb'} does not exist yet: `make cycle` makes it\n"
    project.data.mkdir()
    duckdb.connect(str(project.data / "demo.duckdb")).close()  # as DuckDB's command line does
    empty = project.run("lcw_assets")
    assert "no tables in " in empty.stdout
    assert "Traceback" not in empty.stdout
    bad = project.run("lcw_assets", LCW_COINS="x")
    assert bad.stdout == "LCW_COINS=x is out of range: it must be a number from 1 to 50000\n"


TICK = """
from datetime import datetime, timezone
import dagster as dg
from lcw_assets.definitions import defs
with dg.DagsterInstance.get() as instance:
    moment = datetime(2026, 11, 20, 12, 1, tzinfo=timezone.utc)
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=moment) as context:
        print(instance.get_runs()[0].run_id, defs().resolve_schedule_def("fetch_cycle_every_minute")(context))
"""


def test_a_cycle_that_waits_in_the_queue_is_not_overtaken(project: Project) -> None:
    """Launched, and no daemon there to start it: the next tick skips, naming it."""
    launched = project.run("job", "launch", "-w", "workspace.yaml", "-j", "fetch_cycle")
    assert launched.returncode == 0, launched.stdout
    tick = subprocess.run(
        [sys.executable, "-c", TICK], cwd=project.folder, env=project.environment(), capture_output=True, text=True
    )
    assert tick.returncode == 0, tick.stderr
    run_id, said = tick.stdout.split(maxsplit=1)
    assert f"run {run_id} of fetch_cycle is QUEUED since" in said
    assert "SkipReason" in said
