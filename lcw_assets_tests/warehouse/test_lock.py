"""Waiting for a database that somebody else has open: a real process holds it, and the time is passed in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lcw_assets.orchestration.warehouse import WarehouseResource
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import Holder, LockedError, LockWait
from lcw_assets.warehouse.lock import LOCK_WAIT_S, PATIENCE_S, duration, pause_s, read_holder
from lcw_assets_tests.holders import Clock, held_open, waits_by


def wait(file: Path, seconds: float, said: list[str], waits: list[LockWait]) -> None:
    with open_database(file, lock_wait_s=seconds, on_lock=said.append, on_wait=waits.append):
        pass


def test_a_short_wait_ends_in_a_line_that_names_who_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, said = tmp_path / "x.duckdb", list[str]()
    clock = waits_by(monkeypatch, Clock())
    with held_open(file) as holder, pytest.raises(LockedError) as raised:
        wait(file, LOCK_WAIT_S, said, [])
    program = Path(sys.executable).resolve()
    assert str(raised.value) == (
        f"{file} is held open by {program} (process {holder.pid}), and was for the 5 s that this waited"
    )
    assert clock.now == pytest.approx(LOCK_WAIT_S)
    assert said == []  # it has a spool, and says what it left there


def test_a_lock_that_goes_away_is_waited_for_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that is open for 150 seconds: the wait is said once, with who and until when, and it goes on."""
    file, said, waits = tmp_path / "x.duckdb", list[str](), list[LockWait]()
    with held_open(file) as holder:
        waits_by(monkeypatch, Clock(holder, open_for_s=150))
        wait(file, PATIENCE_S, said, waits)
    [line] = said
    assert line.startswith(f"{file} is held open by ")
    assert f"(process {holder.pid}): this waits for up to 1 h, and goes on when it is closed there" in line
    [waited] = waits
    assert waited.seconds == pytest.approx(150, abs=1)
    assert waited.holder and (waited.holder.pid, waited.holder.program) == (
        holder.pid,
        str(Path(sys.executable).resolve()),
    )


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, said = tmp_path / "x.duckdb", list[str]()
    clock = waits_by(monkeypatch, Clock())
    with held_open(file), pytest.raises(LockedError, match="and was for the 200 s that this waited"):
        wait(file, 200, said, [])
    assert len(said) == 1
    assert clock.now == pytest.approx(200)


def test_a_wait_neither_spins_nor_sleeps_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Often at first, for who waits for seconds; then once a second: a cycle is there before who waits for an hour."""
    clock = waits_by(monkeypatch, Clock())
    looks = 0
    connect = duckdb.connect

    def count(*arguments: Any) -> duckdb.DuckDBPyConnection:
        nonlocal looks
        looks += 1
        return connect(*arguments)

    monkeypatch.setattr(duckdb, "connect", count)
    with held_open(tmp_path / "x.duckdb"), pytest.raises(LockedError):
        wait(tmp_path / "x.duckdb", 300, [], [])
    assert 100 + 290 < looks < 100 + 300
    assert looks == len(clock.pauses) + 1
    assert min(clock.pauses[:-1]) >= 0.05
    assert max(clock.pauses) == 1.0
    assert pause_s(LOCK_WAIT_S) > 10 * pause_s(0)


WAITER = """
import sys
from pathlib import Path
from typing import Any
from lcw_assets.warehouse.connection import open_database
print("waits", flush=True)
with open_database(Path(sys.argv[1]), lock_wait_s=3600, on_lock=lambda line: None) as db:
    db.execute("CREATE TABLE ops.waited AS SELECT 1")
print("done", flush=True)
"""


def test_who_waits_keeps_nobody_out(tmp_path: Path) -> None:
    """Three that wait for an hour, and a cycle: it gets in as soon as the notebook is closed, and they do after it."""
    file = tmp_path / "x.duckdb"
    with open_database(file):
        pass
    with held_open(file) as holder:
        command = [sys.executable, "-c", WAITER.replace("ops.waited", "ops.waited_{}"), str(file)]
        waiters = [
            subprocess.Popen(
                [part.format(number) if "{}" in part else part for part in command], stdout=subprocess.PIPE, text=True
            )
            for number in range(3)
        ]
        for waiter in waiters:
            assert waiter.stdout and waiter.stdout.readline() == "waits\n"
        holder.communicate("")
        with open_database(file, lock_wait_s=60) as db:
            db.execute("CREATE TABLE ops.cycled AS SELECT 1")
    for waiter in waiters:
        assert waiter.communicate(timeout=120)[0] == "done\n"
    with open_database(file) as db:
        tables = db.execute("SELECT table_name FROM duckdb_tables() WHERE table_name[:6] IN ('cycled', 'waited')")
        assert len(tables.fetchall()) == 4


def test_a_process_that_has_it_open_itself_is_named_and_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for itself. (The same way twice is no conflict: DuckDB shares it.)"""
    file = tmp_path / "x.duckdb"
    clock = waits_by(monkeypatch, Clock())
    with open_database(file) as db, open_database(file) as same:
        db.execute("CREATE TABLE ops.x AS SELECT 1")
        assert same.execute("SELECT count(*) FROM ops.x").fetchall() == [(1,)]
        with pytest.raises(LockedError, match=f"{file} is held open by this process itself"):
            with open_database(file, read_only=True, lock_wait_s=PATIENCE_S):
                pass
    assert clock.now == pytest.approx(LOCK_WAIT_S)
    other = duckdb.connect(str(file))  # somebody's own way to it, in an asset
    with pytest.raises(LockedError, match="this process itself"), open_database(file, lock_wait_s=0):
        pass
    other.close()


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        ("held in /usr/bin/python3.11 (PID 12). See also https://duckdb.org", "/usr/bin/python3.11 (process 12)"),
        ("held in /opt/my duckdb (PID 12) by user ann. See also", "/opt/my duckdb (process 12 of user ann)"),
        ("held in PID 12. See also https://duckdb.org", "a program (process 12)"),
        ("", "another process"),
    ],
)
def test_the_holder_is_reported_as_far_as_it_can_be_seen(said: str, holder: str) -> None:
    assert str(read_holder(f'IO Error: Could not set lock on file "x": Conflicting lock is {said}')) == holder
    assert read_holder(f"IO Error: {said}") is None


def test_a_name_with_escapes_in_it_is_shown_and_not_obeyed() -> None:
    assert str(LockedError(Path("x"), Holder("/tmp/\x1b[2J\nrun: Success", 1))) == (
        "x is held open by /tmp/\\x1b[2J\\nrun: Success (process 1)"
    )


def test_durations_are_words() -> None:
    assert [duration(seconds) for seconds in (0.5, 59, 60, 2400, 3600, 5400)] == [
        "0.5 s", "59 s", "1 min", "40 min", "1 h", "1.5 h",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("max_runtime_s", "until"), [(float("inf"), "1 h"), (86400, "1 h"), (3600, "59 min"), (600, "9 min"), (60, "54 s")]
)
def test_the_warehouse_waits_for_an_hour_by_itself_unless_its_run_is_over_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_runtime_s: float, until: str
) -> None:
    """What a user's asset gets without any code for it. Dagster would end the run without a word."""
    file, said = tmp_path / "x.duckdb", list[str]()
    with held_open(file) as holder:
        waits_by(monkeypatch, Clock(holder, open_for_s=7))
        warehouse = WarehouseResource(database=str(file)).within_run(said.append, max_runtime_s)
        with warehouse.get_connection() as db:
            db.execute("SELECT 1")
    [line] = said
    assert f"(process {holder.pid}): this waits for up to {until}, and goes on when it is closed there" in line


def test_a_run_that_waits_often_says_so_once_for_each_who_makes_it_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, said, clock = tmp_path / "x.duckdb", list[str](), waits_by(monkeypatch, Clock())
    warehouse = WarehouseResource(database=str(file)).within_run(said.append, 60)
    for _ in range(2):
        with held_open(file):
            for _ in range(2):
                with pytest.raises(LockedError), warehouse.get_connection(lock_wait_s=10):
                    pass
    assert len(said) == 2
    assert clock.now == pytest.approx(40)
    with held_open(file), pytest.raises(LockedError), warehouse.get_connection():
        pass
    assert clock.now == pytest.approx(54)  # so much of the run was left
