"""Opening a database that is there, missing, locked, broken, or somebody else's."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import LockWait, WarehouseError
from lcw_assets_tests.holders import held_open


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


def test_no_wait_counts_as_none(tmp_path: Path) -> None:
    waits: list[LockWait] = []
    with open_database(tmp_path / "x.duckdb", on_wait=waits.append):
        pass
    assert [(wait.seconds, wait.holder) for wait in waits] == [(0.0, None)]


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


def sqlite(file: Path) -> None:
    db = sqlite3.connect(file)
    db.execute("CREATE TABLE t (a)")
    db.commit()
    db.close()


def cut_in_half(file: Path) -> None:
    with open_database(file):
        pass
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def damaged(file: Path) -> None:
    with open_database(file):
        pass
    content = bytearray(file.read_bytes())
    content[4096 : 3 * 4096] = b"\xff" * 2 * 4096  # both of its database headers
    file.write_bytes(content)


KILLED = """
import duckdb, os, signal, sys
db = duckdb.connect(sys.argv[1])
for _ in range(5):
    db.execute("CREATE OR REPLACE TABLE ops.x AS SELECT range AS a, md5(range::VARCHAR) AS b FROM range(500)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def with_a_bad_log(file: Path) -> None:
    with open_database(file):
        pass
    subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    log = file.with_name(f"{file.name}.wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 0xFF
    log.write_bytes(content)


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "text": lambda file: file.write_bytes(b"this is no database" * 999),
    "zeros": lambda file: file.write_bytes(b"\0" * 20_000),
    "empty": lambda file: file.write_bytes(b""),
    "short": lambda file: file.write_bytes(b"x"),
    "parquet": lambda file: file.write_bytes(b"PAR1" + b"x" * 5000),
    "sqlite": sqlite,
    "half": cut_in_half,
    "damaged": damaged,
    "log": with_a_bad_log,
}


@pytest.mark.parametrize("make", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_says_what_to_do(
    tmp_path: Path, make: Callable[[Path], object], read_only: bool
) -> None:
    file = tmp_path / "x.duckdb"
    make(file)
    before = file.read_bytes()
    with pytest.raises(WarehouseError) as raised, open_database(file, read_only=read_only):
        pass
    said = str(raised.value)
    assert said.startswith(f"{file} is not a readable DuckDB file: move it away, with its .wal if it has one, and")
    assert len(said.splitlines()) == 1
    assert "xtension" not in said
    assert file.read_bytes() == before


@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_no_file_at_all_says_what_to_do(tmp_path: Path, read_only: bool) -> None:
    file = tmp_path / "x.duckdb"
    file.mkdir()
    with pytest.raises(WarehouseError, match=f"{file} is a folder or a device, and no file: move it away"):
        with open_database(file, read_only=read_only):
            pass


def test_rows_that_are_damaged_are_reported_when_they_are_read(tmp_path: Path) -> None:
    """It opens: what DuckDB reads first is whole."""
    file = tmp_path / "x.duckdb"
    with open_database(file) as db:
        db.execute("CREATE TABLE ops.large AS SELECT range AS a, md5(range::VARCHAR) AS b FROM range(50000)")
    content = bytearray(file.read_bytes())
    for place in range(len(content) // 4, len(content) // 2, 65536):
        content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(WarehouseError, match=f"{file} is not a readable DuckDB file"):
        with open_database(file, read_only=True) as db:
            db.execute("SELECT min(b), max(b) FROM ops.large").fetchall()


def test_an_error_of_a_query_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(duckdb.CatalogException), open_database(tmp_path / "x.duckdb") as db:
        db.execute("SELECT * FROM nothing")


def test_a_fault_of_the_file_that_nobody_knows_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "x.duckdb"
    fault = f'IO Error: Could not read from file "{file}": Stale file handle\nsecond line'
    with pytest.raises(WarehouseError) as raised, open_database(file):
        raise duckdb.IOException(fault)
    assert str(raised.value) == f'{file}: Could not read from file "{file}": Stale file handle'


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="cannot be opened"), open_database(tmp_path / "no" / "x.duckdb"):
        pass


@pytest.mark.parametrize("read_only", [True, False])
def test_no_extension_is_loaded_unasked(tmp_path: Path, read_only: bool) -> None:
    """A path that only an extension can read asks nobody for it; what this project needs is linked in."""
    file = tmp_path / "x.duckdb"
    with open_database(file):
        pass
    sqlite(tmp_path / "other.db")
    with open_database(file, read_only=read_only) as db:
        settings = db.execute(
            "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions' ORDER BY name"
        ).fetchall()
        assert settings == [("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false")]
        with pytest.raises(duckdb.Error, match="requires the extension httpfs to be loaded"):
            db.execute("SELECT * FROM 'https://127.0.0.1:9/x.parquet'")
        db.execute(f"COPY (SELECT 1 AS a) TO '{tmp_path}/x.parquet'")
        assert db.execute(f"SELECT a FROM '{tmp_path}/x.parquet'").fetchall() == [(1,)]
        assert db.execute("SELECT '{\"b\": 2}'::JSON ->> 'b'").fetchall() == [("2",)]
        moment = "TIMESTAMPTZ '2026-07-01 12:00:00+00'"
        assert db.execute(f"SELECT timezone('Europe/Berlin', {moment})::VARCHAR").fetchall() == [
            ("2026-07-01 14:00:00",)
        ]
