"""Opening a database that is there, missing, locked, broken, or somebody else's."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import LockedError, WarehouseError
from lcw_assets_tests.patience import PATIENCE_S

HOLDER = "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@contextmanager
def held_open(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, such as somebody's CLI, that has the database open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "open\n"
        yield process
        if process.stdin and not process.stdin.closed:
            process.stdin.close()


def test_timestamps_are_utc(tmp_path: Path) -> None:
    with open_database(tmp_path / "x.duckdb") as db:
        [(text,)] = db.execute("SELECT TIMESTAMPTZ '2026-03-29 01:30:00+00'::VARCHAR").fetchall()
    assert text == "2026-03-29 01:30:00+00"


def test_it_is_closed_even_when_the_body_raises(tmp_path: Path) -> None:
    file = tmp_path / "x.duckdb"
    with pytest.raises(ZeroDivisionError), open_database(file):
        1 // 0  # noqa: B018
    with held_open(file):  # another process gets in
        pass


def test_a_locked_file_names_who_holds_it_and_waits_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.duckdb"
    slept: list[float] = []
    sleep = time.sleep

    def counted(seconds: float) -> None:
        slept.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", counted)
    with held_open(file) as holder:
        started = time.monotonic()
        with pytest.raises(LockedError, match=rf"{file} is held open by \S+ \(process {holder.pid}\)"):
            with open_database(file, lock_wait_s=0.3):
                pass
        assert time.monotonic() - started >= 0.3
    assert sum(slept) <= 0.3 + max(slept)


def test_a_lock_that_goes_away_is_waited_for_and_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.duckdb"
    waits: list[float] = []
    sleep = time.sleep
    with held_open(file) as holder:

        def goes_away(seconds: float) -> None:
            if holder.stdin and not holder.stdin.closed:
                holder.communicate()  # between the first try and the second
            sleep(seconds)

        monkeypatch.setattr(time, "sleep", goes_away)
        started = time.monotonic()
        with open_database(file, lock_wait_s=PATIENCE_S, on_wait=waits.append) as db:
            db.execute("SELECT 1")
    [waited] = waits
    assert 0 < waited <= time.monotonic() - started


def test_no_wait_counts_as_none(tmp_path: Path) -> None:
    waits: list[float] = []
    with open_database(tmp_path / "x.duckdb", on_wait=waits.append):
        pass
    assert waits == [0.0]


def test_reading_needs_a_file_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.duckdb"
    with pytest.raises(WarehouseError, match=f"{file} does not exist yet: `make cycle` makes it"):
        with open_database(file, read_only=True):
            pass
    with open_database(file):
        pass
    before = file.read_bytes()
    with open_database(file, read_only=True) as db:
        assert db.execute("SELECT count(*) FROM market.coins").fetchall() == [(0,)]
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database" * 999, b"\0" * 20_000], ids=["text", "zeros"])
def test_a_file_that_is_no_database_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.duckdb"
    file.write_bytes(content)
    with pytest.raises(WarehouseError, match=rf"{file} is not a readable DuckDB file: move it away"):
        with open_database(file):
            pass
    assert file.read_bytes() == content


def test_a_damaged_database_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "x.duckdb"
    with open_database(file):
        pass
    content = bytearray(file.read_bytes())
    content[4096 : 3 * 4096] = b"\xff" * 2 * 4096  # both of its database headers
    file.write_bytes(content)
    with pytest.raises(WarehouseError, match=rf"{file} is not a readable DuckDB file"), open_database(file):
        pass


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="cannot be opened"), open_database(tmp_path / "no" / "x.duckdb"):
        pass
