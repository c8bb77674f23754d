"""The Makefile: what its targets do besides running a command that has tests of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.commands import ROOT, Project
from lcw_assets_tests.defs.monitoring.facts import NOON, cycle, load

TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.checkout(tmp_path / "project")


@pytest.fixture
def make(project: Project) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run make in a checkout, with its data in `data/`, as a user has it. `stdin` is what that user types."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/usr/bin/env", "make", *arguments],
            cwd=project.folder,
            env=project.activated(**variables),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    return run


Make = Callable[..., subprocess.CompletedProcess[str]]


def test_help_names_every_target_with_a_line(make: Make) -> None:
    lines = make("help").stdout.splitlines()
    named = {line.split()[1]: line.split(maxsplit=2)[2] for line in lines}
    assert list(named) == TARGETS
    assert {"cycle", "dev", "test", "status", "why", "sql", "slow-demo", "clean", "purge"} <= set(named)
    assert all(len(text) > 3 for text in named.values())


@pytest.fixture
def used(project: Project) -> list[Path]:
    """What a user has after a while: data, run history, and what tools leave."""
    files = [project.data / "lcw.duckdb", project.folder / ".dagster" / "history" / "runs.db"]
    for file in [*files, project.folder / ".mypy_cache" / "x"]:
        file.parent.mkdir(parents=True)
        file.touch()
    return files


def test_clean_keeps_data_and_run_history(make: Make, project: Project, used: list[Path]) -> None:
    assert make("clean").returncode == 0
    assert all(file.exists() for file in used)
    assert not (project.folder / ".venv").exists()
    assert not (project.folder / ".mypy_cache").exists()


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "yes please\n"])
def test_purge_removes_nothing_unless_it_is_ordered_to(
    make: Make, project: Project, used: list[Path], typed: str
) -> None:
    done = make("purge", stdin=typed)
    assert done.returncode != 0
    assert "all data and run history of this folder? [y/N]" in done.stdout
    assert "nothing was removed" in done.stdout
    assert all(file.exists() for file in used)
    assert (project.folder / ".venv").exists()


@pytest.mark.parametrize(("arguments", "typed"), [(["YES=1"], ""), ([], "y\n")])
def test_purge_removes_everything_once_it_is_ordered_to(
    make: Make, project: Project, used: list[Path], arguments: list[str], typed: str
) -> None:
    done = make("purge", *arguments, stdin=typed)
    assert done.returncode == 0
    assert ("[y/N]" in done.stdout) == (not arguments)
    left = {path.name for path in project.folder.iterdir()}
    assert not left & {"data", ".dagster", ".venv", ".mypy_cache"}
    assert "lcw_assets" in left


def test_purge_names_data_that_is_elsewhere(make: Make, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = make("purge", "YES=1", LCW_DATA_DIR=str(elsewhere))
    assert f"{elsewhere} (LCW_DATA_DIR) is left as it is" in done.stdout
    assert elsewhere.exists()


@pytest.mark.parametrize(
    ("arguments", "variables", "dotenv", "address"),
    [
        ([], {}, "", "http://127.0.0.1:3000"),
        (["PORT=3999"], {}, "", "http://127.0.0.1:3999"),
        ([], {"PORT": "3999"}, "# LCW_UI_URL=http://x\n", "http://127.0.0.1:3999"),
        (["PORT=3999"], {"LCW_UI_URL": "https://dagster.example.com"}, "", "https://dagster.example.com"),
        (["PORT=3999"], {}, "LCW_UI_URL=https://dagster.example.com\n", "https://dagster.example.com"),
    ],
)
def test_the_port_reaches_every_link(
    make: Make, project: Project, arguments: list[str], variables: dict[str, str], dotenv: str, address: str
) -> None:
    """Those of alerts are made from the same setting: see alerts/test_outbox.py."""
    (project.folder / ".env").write_text(dotenv)
    project.data.mkdir()
    with open_database(project.data / "demo.duckdb") as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
    assert f"look     make dev, then {address}\n" in make("status", *arguments, **variables).stdout
    assert f"run      {address}/runs/run-1\n" in make("why", *arguments, **variables).stdout


def test_a_query_arrives_as_it_was_typed(make: Make, project: Project) -> None:
    project.data.mkdir()
    with open_database(project.data / "demo.duckdb"):
        pass
    query = """Q=SELECT 'it''s "a" `b` ' || 1 AS "x y" """
    assert make("sql", query, "CSV=1").stdout == 'x y\n"it\'s ""a"" `b` 1"\n'
    assert "it's" in make("sql", query).stdout
    assert 'there is no query: make sql Q="SELECT' in make("sql").stdout


def test_why_takes_a_moment_with_a_space(make: Make, project: Project) -> None:
    project.data.mkdir()
    with open_database(project.data / "demo.duckdb") as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
    assert "cycle    20261120T120000.000Z-00000001: " in make("why", "AT=2026-11-20 12:00").stdout
    wrong = make("why", "AT=noon")
    assert wrong.returncode != 0
    assert "noon: it must be a time in UTC" in wrong.stdout


def test_the_storage_of_runs_is_made_before_anything_starts(make: Make, project: Project) -> None:
    """Also where somebody removed it: two processes that meet a fresh one break each other."""
    done = make("-n", "dev").stdout
    assert done.index("dagster instance info") < done.index("dagster dev")


@pytest.mark.parametrize("target", ["cycle", "dev"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_a_dotenv_that_dagster_cannot_read_is_one_line(
    make: Make, project: Project, target: str, encoding: str
) -> None:
    (project.folder / ".dagster" / "history").mkdir(parents=True)
    (project.folder / ".dagster" / "history" / "runs.db").touch()
    (project.folder / ".env").write_text("LCW_COINS=100\n", encoding=encoding)
    done = make(target)
    assert done.returncode != 0
    said, _, of_make = done.stdout.partition("\n")
    assert said == ".env is not text in UTF-8: save it as UTF-8"
    assert "Traceback" not in of_make
