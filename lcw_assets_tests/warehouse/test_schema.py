"""Migrations: forward, all or nothing; and the columns that the UI shows are the ones that exist."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from lcw_assets.defs.monitoring.slow import read_slowest, read_usual
from lcw_assets.ingest.measures import Window
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import NewerSchemaError, WarehouseError
from lcw_assets.warehouse.schema import MIGRATIONS, migrate, tables
from lcw_assets.warehouse.tables import append_row
from lcw_assets_tests.defs.monitoring.facts import NOON, cycle


def test_a_fresh_file_gets_every_table(tmp_path: Path) -> None:
    with open_database(tmp_path / "lcw.duckdb") as db:
        found = db.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
    assert {name for (name,) in found} == {*tables(), "ops.schema_versions"} - {"ops.cycles", "ops.syncs"}  # views


def test_an_older_file_is_brought_up_to_date_and_keeps_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "lcw.duckdb"
    with duckdb.connect(str(file)) as db:
        migrate(db, MIGRATIONS[:1])
        db.execute("INSERT INTO raw.pulls VALUES ('c1', 'lcw', 'status', '{}', now(), now(), 200, '{}')")
    with open_database(file) as db:
        assert db.execute("SELECT cycle_id FROM raw.pulls").fetchall() == [("c1",)]
        assert db.execute("SELECT count(*) FROM market.coins").fetchall() == [(0,)]
        versions = db.execute("SELECT version, name FROM ops.schema_versions ORDER BY version").fetchall()
    assert versions == [(int(migration.name[:3]), migration.stem) for migration in MIGRATIONS]


def test_a_database_of_the_version_before_learns_who_held_it_and_keeps_its_cycles(tmp_path: Path) -> None:
    """Its cycles have no waits and no measured machine, and can be explained all the same."""
    file = tmp_path / "lcw.duckdb"
    before = [migration for migration in MIGRATIONS if migration.name < "009"]
    slow = cycle(1, NOON, 45.0, lock_wait_s=40.0, pull_s=4.0)
    with duckdb.connect(str(file)) as db:
        migrate(db, before)
        append_row(db, "ops.cycles", slow)
    with open_database(file) as db:
        window = Window.before(NOON + timedelta(hours=1), 2)
        [found] = read_slowest(db, window, over_s=20.0, most=9, usual=read_usual(db, window))
    assert str(found.cause) == "it waited 40.0 s for the database, held open by another process for most of that"


def test_a_migration_that_comes_late_is_applied_below_the_latest(tmp_path: Path) -> None:
    """Two branches: the one with 006 lands first, and its databases get 005 when that lands."""
    file = tmp_path / "lcw.duckdb"
    late = tmp_path / "005_late.sql"
    late.write_text("CREATE TABLE ops.late (x INTEGER);")
    others = [migration for migration in MIGRATIONS if not migration.name.startswith("005")]
    with duckdb.connect(str(file)) as db:
        migrate(db, others)
        db.execute("INSERT INTO ops.clusterings VALUES (now(), 1, 1)")
        migrate(db, sorted([*others, late], key=lambda migration: migration.name))
        assert db.execute("SELECT count(*) FROM ops.late").fetchall() == [(0,)]
        assert db.execute("SELECT count(*) FROM ops.clusterings").fetchall() == [(1,)]
        migrate(db, others)  # and who does not know it yet is not stopped by it
        versions = db.execute("SELECT version FROM ops.schema_versions ORDER BY version").fetchall()
    assert versions == sorted({(int(migration.name[:3]),) for migration in [*others, late]})


def test_a_newer_file_is_refused_by_name_and_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "lcw.duckdb"
    with open_database(file) as db:
        db.execute("INSERT INTO ops.schema_versions VALUES (99, 'from the future', now())")
    with pytest.raises(WarehouseError, match=rf"{file} was made by a newer lcw-assets \(schema version 99"):
        with open_database(file):
            pass


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "004_bad.sql"
    bad.write_text("CREATE TABLE ops.half (x INTEGER); SELECT * FROM no_such_table;")
    with duckdb.connect(str(tmp_path / "lcw.duckdb")) as db, pytest.raises(duckdb.CatalogException):
        migrate(db, [*MIGRATIONS, bad])
    with duckdb.connect(str(tmp_path / "lcw.duckdb")) as db:
        assert db.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


def test_migrating_twice_does_nothing(tmp_path: Path) -> None:
    with duckdb.connect() as db:
        migrate(db)
        migrate(db)
        assert db.execute("SELECT count(*) FROM ops.schema_versions").fetchall() == [(len(MIGRATIONS),)]
        with pytest.raises(NewerSchemaError):
            migrate(db, MIGRATIONS[:2])


def test_the_columns_read_from_the_files_are_the_ones_in_the_database() -> None:
    names = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    with duckdb.connect() as db:
        migrate(db)
        for table, columns in tables().items():
            described = db.execute(f"DESCRIBE {table}").fetchall()
            assert [(column.name, names.get(column.type, column.type)) for column in columns] == [
                (name, type_) for name, type_, *_ in described
            ]
            if table not in ("ops.cycles", "ops.syncs"):  # of a view's columns DuckDB knows only the types
                assert [column.required for column in columns] == [nullable == "NO" for _, _, nullable, *_ in described]
            assert all(column.description for column in columns)
