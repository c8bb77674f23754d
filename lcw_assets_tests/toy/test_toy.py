"""A new source costs its client, its tables and a declaration: all else it gets, and no list is edited for it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lcw_assets_tests.child_processes import child_processes
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.toy.files import FILES

ROOT = Path(__file__).parents[2]
KILLS = 24


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project with the toy's files in it, which processes find before the real one."""
    home = tmp_path / "home"
    shutil.copytree(ROOT / "lcw_assets", home / "lcw_assets", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "lcw_assets_tests").symlink_to(ROOT / "lcw_assets_tests")
    for place, text in FILES.items():
        file = home / "lcw_assets" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.lstrip())
    monkeypatch.setenv("PYTHONPATH", str(home))
    monkeypatch.setenv("LCW_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return home


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=home,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def once(home: Path, **variables: str) -> dict[str, Any]:
    done = run(home, "lcw_assets_tests.toy.once", "toy_prices", **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "data" / "demo.duckdb"), read_only=True) as db:
        return db.execute(sql).fetchall()


def test_it_has_under_100_lines() -> None:
    lines = [line for text in FILES.values() for line in text.splitlines() if line.strip()]
    assert 50 < len(lines) < 100


def test_it_gets_everything_that_a_load_has(home: Path, tmp_path: Path) -> None:
    """Demo data, job, schedule, spool, facts, checks, watching, and its place in `make status`."""
    found = once(home)
    assert (found["success"], found["max_runtime"]) == (True, "60")
    assert found["schedules"]["toy_prices"] == "* * * * *"  # every schedule of a minute is watched, by any name
    assert found["checks"] == dict.fromkeys(
        [
            "toy/prices:fresh",
            "toy/prices:keys_unique",
            "toy/prices:values_in_range",
            "toy/prices:complete",
            "toy/prices:load_time",
            "toy/prices:failure_rate",
        ],
        True,
    )
    raw, prices = found["metadata"]["raw/toy_prices"], found["metadata"]["toy/prices"]
    [(rows, above_zero)] = query(tmp_path, "SELECT count(*), min(price) > 0 FROM toy.prices")
    assert 40 < rows <= 50  # in some minutes a coin or two is not listed
    assert above_zero
    assert (raw["entries"], raw["calls"], raw["source"]) == (rows, 5, "toy-simulator")
    assert (prices["dagster/row_count"], prices["status"], prices["source"]) == (rows, "complete", "toy-simulator")
    assert query(tmp_path, "SELECT kind, source, status, calls, records_seen FROM ops.loads") == [
        ("toy_prices", "toy-simulator", "complete", 5, rows)
    ]
    assert query(tmp_path, "SELECT source, count(*) FROM ops.calls GROUP BY ALL") == [("toy-simulator", 5)]
    assert query(tmp_path, "SELECT count(*) FROM raw.pulls WHERE source = 'toy-simulator'") == [(5,)]
    assert list((tmp_path / "data" / "spool" / "toy-simulator").iterdir()) == []
    assert (tmp_path / "data" / "limits" / "toy-simulator").exists()

    status = run(home, "lcw_assets", "status")
    assert "Toy Exchange" in status.stdout, status.stderr


def test_status_says_the_rest_of_an_installation_that_a_new_source_has_not_loaded_into_yet(
    home: Path, tmp_path: Path
) -> None:
    """Its table is made by its first load."""
    assert run(ROOT, "lcw_assets_tests.toy.once", "token_registry_sync", PYTHONPATH=str(ROOT)).returncode == 0
    status = run(home, "lcw_assets", "status").stdout
    assert "Toy Exchange, no data yet" in status
    assert "KuCoin Futures, " in status


def test_a_wrong_setting_of_one_source_stops_its_own_loads_alone(home: Path) -> None:
    assert once(home, KUCOIN_FUTURES_BASE_URL="nonsense")["success"]
    assert not once(home, TOY_BASE_URL="nonsense")["success"]


def test_what_its_server_does_is_reported_by_its_facts_and_checks(home: Path, tmp_path: Path) -> None:
    """Nobody is there: the run fails in one line, its facts are stored, and its checks say so."""
    found = once(home, TOY_BASE_URL="http://127.0.0.1:1")
    assert not found["success"]
    assert {name for name, passed in found["checks"].items() if not passed} >= {
        "toy/prices:fresh",
        "toy/prices:complete",
        "toy/prices:failure_rate",
    }
    [(status, missing, codes)] = query(
        tmp_path, "SELECT status, missing, json_extract_string(detail, '$.missing_calls[*].code') FROM ops.loads"
    )
    assert (status, len(missing), set(codes)) == ("failed", 5, {"connection"})
    assert min(missing).startswith("page 0: http://127.0.0.1:1 refuses connections")


@pytest.mark.parametrize(
    ("place", "old", "new", "says"),
    [
        ("sources/toy/spec.py", '    watch=("toy.prices", "observed_at"),\n', "", "watch is missing"),
        ("defs/toy/definitions.py", 'key="toy/prices"', 'key="toy/quotes"', "writes toy.quotes"),
        ("defs/toy/definitions.py", 'unique=("code",)', 'unique=("symbol",)', "toy.prices.symbol"),
        ("defs/toy/definitions.py", "toy.load:ToyHooks", "toy.loads:ToyHooks", "hooks='lcw_assets.defs.toy.loads"),
        ("defs/toy/definitions.py", "raw/toy_prices", "raw/toy_pricez", "deps='raw/toy_pricez' for toy.prices"),
        ("defs/toy/load.py", "def store", "def stored", "its class has no method store"),
        ("simulator/toy.py", "PROVIDER =", "PROVIDERS =", "simulator='toy': the module has no PROVIDER"),
        ("sources/toy/spec.py", '"observed_at")', '"seen_at")', "watch=toy.prices.seen_at: there is no such column"),
    ],
)
def test_a_declaration_that_is_wrong_fails_as_it_loads_and_says_what(
    home: Path, place: str, old: str, new: str, says: str
) -> None:
    file = home / "lcw_assets" / place
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    done = run(home, "lcw_assets_tests.toy.once", "toy_prices")
    assert done.returncode
    assert says in done.stderr.strip().splitlines()[-1]


def test_killed_at_random_moments_it_loses_nothing(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each response that was served whole is in the database to the letter, once, or its process was dead by then."""
    ledger, log, folder = tmp_path / "ledger.jsonl", tmp_path / "log", tmp_path / "data"
    moments = random.Random(20261128)  # noqa: S311
    command = [sys.executable, "-m", "lcw_assets.simulator", "--port", "0", "--ledger", str(ledger)]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True) as simulator:
        try:
            assert simulator.stdout
            address = next(word for line in simulator.stdout for word in line.split() if word.startswith("http://"))
            monkeypatch.setenv("TOY_BASE_URL", f"{address}/toy")
            monkeypatch.chdir(home)
            with child_processes("lcw_assets_tests.job_children", "toy_prices", "toy", log=log) as children:

                def load(kill_after_s: float | None = None) -> bool:
                    """Did it fetch all?"""
                    said = log.stat().st_size
                    children.begin()
                    if kill_after_s is not None:
                        time.sleep(kill_after_s)
                        children.kill()
                    children.wait()
                    return b"fetched in" in log.read_bytes()[said:]

                began = time.monotonic()
                assert load()
                takes_s = time.monotonic() - began
                fetched = 1 + sum(load(moments.uniform(0, takes_s)) for _ in range(KILLS))
                for aside in (folder / "spool" / "toy-simulator").glob("*.unreadable"):
                    aside.rename(aside.with_suffix(".jsonl"))  # its process was killed three times while it stored it
                assert load()
        finally:
            simulator.terminate()
    assert list((folder / "spool" / "toy-simulator").glob("*.jsonl")) == []
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    served = {entry["digest"] for entry in entries if entry["usable"] and entry["finished"]}
    bodies = query(tmp_path, "SELECT cycle_id, request, endpoint, payload FROM raw.pulls")
    assert {hashlib.sha256(body.encode()).hexdigest() for *_, body in bodies} <= served  # nothing made up
    assert len({row[:3] for row in bodies}) == len(bodies)  # nothing twice
    complete = query(tmp_path, "SELECT count(*) FROM ops.loads WHERE status = 'complete'")[0][0]
    assert complete >= fetched + 1  # what was fetched is stored, whoever died
    assert len(bodies) >= 5 * complete
    assert query(tmp_path, "SELECT count(*) - count(DISTINCT load_id) FROM ops.loads") == [(0,)]
