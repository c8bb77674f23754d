"""A disk that fills up: one line that says which folder and what to do, nothing lost, and all well with room again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lcw_assets.coordination import disk
from lcw_assets.coordination.credit_budget import CreditBudget
from lcw_assets.ingest.rotating import only_one
from lcw_assets.ingest.spool_file import SpoolError
from lcw_assets.settings import DataSettings, load_settings
from lcw_assets.sources.kucoin_futures.spec import SOURCE as KUCOIN
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import WarehouseError
from lcw_assets_tests.commands import ROOT
from lcw_assets_tests.conftest import StartSimulator

UNLIMITED = 2**40
YESTERDAYS = {
    "backfill_coin_daily": {"dagster/partition": "2025-12-31"},
    "performance_day": {"dagster/partition": "2026-02-01"},
}


@pytest.fixture(autouse=True)
def _api(start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    monkeypatch.setenv("LCW_COINS", "100")
    monkeypatch.setenv("LCW_TRACKED_COINS", "BTC")


def run(job: str, size: int = UNLIMITED) -> list[tuple[str, str]]:
    """The kind of each step's error, and its text."""
    done = subprocess.run(
        [sys.executable, "-m", "lcw_assets_tests.defs.full_disk", job, str(size), json.dumps(YESTERDAYS.get(job, {}))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(kind, message.partition(": ")[2].strip()) for kind, message in map(json.loads, done.stdout.splitlines())]


KILLED = """
import os, signal, sys
import duckdb
db = duckdb.connect(sys.argv[1])
db.execute("SET max_vacuum_tasks = 0")
db.execute("CREATE TABLE ops.filler AS SELECT md5(range::VARCHAR) AS a FROM range(40000)")
os.kill(os.getpid(), signal.SIGKILL)
"""
ROOM = 1_200_000


def leave_a_log() -> None:
    """Of a process that was killed: the next commit writes beyond `ROOM`, in which every spooled file has a place."""
    subprocess.run([sys.executable, "-c", KILLED, str(DataSettings().database)], check=False)
    [log] = DataSettings().data_dir.glob("*.wal")
    assert log.stat().st_size > ROOM


def query(sql: str) -> list[tuple[Any, ...]]:
    with open_database(DataSettings().database) as db:
        return db.execute(sql).fetchall()


@pytest.mark.parametrize("job", ["fetch_cycle", "token_registry_sync", "backfill_coin_daily"])
def test_a_disk_that_fills_up_between_the_spool_and_the_tables_loses_nothing(job: str) -> None:
    assert run("fetch_cycle") == []
    leave_a_log()
    settings = load_settings()
    spool = {
        "fetch_cycle": settings.of(LCW).spool_dir,
        "token_registry_sync": settings.of(KUCOIN).spool_dir,
        "backfill_coin_daily": settings.of(LCW).history_spool_dir,
    }[job]
    [(kind, said)] = run(job, ROOM)
    assert kind == "Failure"
    assert said.startswith(
        f"{settings.data_dir} takes no database writes (File too large): the disk takes no more of this file: "
        "set LCW_DATA_DIR to another disk. "
    )
    assert f"waits in {spool}" in said
    assert len(said.splitlines()) == 1
    assert len(list(spool.glob("*.jsonl"))) == 1
    assert run(job) == []
    assert list(spool.glob("*.jsonl")) == []
    table = {
        "fetch_cycle": ("SELECT count(*) FROM ops.cycles", 3),
        "token_registry_sync": ("SELECT count(*) FROM ops.syncs", 2),
        "backfill_coin_daily": ("SELECT count(*) FROM history.asked", 1),  # requested once, and stored later
    }[job]
    assert query(table[0]) == [(table[1],)]


@pytest.mark.parametrize("job", ["derive", "performance_report", "performance_day"])
def test_what_is_built_from_tables_says_so_as_well(job: str) -> None:
    assert run("fetch_cycle") == []
    before = query("SELECT count(*) FROM reports.performance_72h")
    leave_a_log()
    errors = run(job, ROOM)
    assert errors
    folder = DataSettings().data_dir
    for kind, said in errors:
        assert kind == "Failure"
        assert said == (
            f"{folder} takes no database writes (File too large): the disk takes no more of this file: set "
            "LCW_DATA_DIR to another disk. The tables are as they were, and the next run does it"
        )
    assert query("SELECT count(*) FROM reports.performance_72h") == before
    assert run(job) == []


def test_a_page_that_does_not_fit_is_one_line() -> None:
    assert run("fetch_cycle") == []
    [(_, said), *_] = run("performance_report", 4096)
    assert said == (
        f"{DataSettings().report_file.parent} takes no reports (File too large): the disk takes no more of this file: "
        "set LCW_DATA_DIR to another disk"
    )


def test_a_day_that_is_reported_again_on_a_full_disk_keeps_its_report() -> None:
    assert run("fetch_cycle") == []
    assert run("performance_day") == []
    leave_a_log()
    assert run("performance_day", ROOM)
    assert query("SELECT count(*) FROM reports.performance_daily") == [(1,)]


def test_a_spool_that_does_not_fit_is_one_line_and_requests_no_more() -> None:
    assert run("fetch_cycle") == []
    for job in ("fetch_cycle", "token_registry_sync", "backfill_coin_daily"):
        [(kind, said)] = run(job, 2000)
        assert kind == "Failure"
        assert " takes no responses (File too large): the disk takes no more of this file" in said
        assert len(said.splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="macOS has no /dev/full")
def test_which_errors_are_of_a_disk() -> None:
    with pytest.raises(OSError, match="No space left") as raised, Path("/dev/full").open("w") as full:
        full.write("x" * 100_000)
    assert disk.complaint(Path("data"), raised.value) == (
        "data takes no responses (No space left on device): the disk is full: free some space, or set LCW_DATA_DIR to "
        "another disk"
    )
    found = disk.read_error('IO Error: Could not write file "x.wal": No space left on device')
    assert found
    assert found.errno == raised.value.errno
    assert disk.read_error("Catalog Error: Table with name x does not exist!") is None


def test_no_free_inode_is_distinguished_from_no_free_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `df` and `df -i` tell them apart. (Tried on a real file system of 400 inodes: that takes root.)"""
    real = os.statvfs(tmp_path)
    values = list(real)
    values[7] = 0  # f_favail
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(values))
    said = disk.complaint(tmp_path, OSError(28, "No space left on device"))
    assert said.startswith(
        f"{tmp_path} takes no responses (No space left on device): no inode is free (`df -i`): delete"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="macOS has no /dev/full")
def test_another_disk_of_a_query_is_no_fault_of_ours(tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error, match="No space left") as raised, open_database(tmp_path / "x.duckdb") as db:
        db.execute("COPY (SELECT range FROM range(1000000)) TO '/dev/full' (FORMAT csv)")
    assert not isinstance(raised.value, WarehouseError)


def test_a_backfill_finds_out_before_it_asks_that_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("a file in the folder's place")
    with pytest.raises(SpoolError, match=f"{tmp_path}/limits takes no files"):
        with only_one(tmp_path / "limits" / "lcw", pytest.fail):
            pass
    budget = CreditBudget(tmp_path / "limits" / "credits", 0, datetime.now(timezone.utc))
    budget.update(5)
    budget.save()  # no reason to fail: the next run asks
    assert CreditBudget(tmp_path / "limits" / "credits", 0, datetime.now(timezone.utc)).left is None
