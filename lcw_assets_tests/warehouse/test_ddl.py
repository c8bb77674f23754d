"""The tables as the migrations say: all of it is read, or nothing."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from lcw_assets.warehouse.ddl import Column, SchemaError, digest, read_tables
from lcw_assets.warehouse.schema import MIGRATIONS, SQL, migrate

BALANCES = """\
-- What somebody owns.
CREATE SCHEMA accounts;

CREATE TABLE accounts.balances (
    account VARCHAR NOT NULL,              -- whose; a name, and so on
    free    DECIMAL(38, 18),               -- not in any order
    parts   DECIMAL(38,18)[],              -- what it is made of
    -- the rest is new
    seen    BOOLEAN NOT NULL DEFAULT false, -- has anybody looked
    raw     JSON,                          -- as it came; it's text
);
"""
LATER = """\
ALTER TABLE accounts.balances ADD COLUMN total DOUBLE; -- free and used
ALTER TABLE accounts.balances ADD COLUMN tags VARCHAR[] DEFAULT ['a; b']; -- for people
ALTER TABLE accounts.balances RENAME COLUMN free TO available;
ALTER TABLE accounts.balances DROP COLUMN seen;
COMMENT ON COLUMN accounts.balances.account IS 'whose; it''s a name';
ALTER TABLE accounts.balances RENAME TO holdings;

CREATE VIEW accounts.rich AS SELECT * FROM accounts.holdings WHERE account <> 'x; -- not a comment';
INSERT INTO accounts.holdings BY NAME SELECT 'a' AS account;
"""


def written(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"{number:03}_test.sql" for number in range(1, len(texts) + 1)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return files


def test_every_type_and_every_change_is_read(tmp_path: Path) -> None:
    assert read_tables(written(tmp_path, BALANCES, LATER)) == {
        "accounts.holdings": (
            Column("account", "VARCHAR", "whose; it's a name", True),
            Column("available", "DECIMAL(38,18)", "not in any order", False),
            Column("parts", "DECIMAL(38,18)[]", "what it is made of", False),
            Column("raw", "JSON", "as it came; it's text", False),
            Column("total", "DOUBLE", "free and used", False),
            Column("tags", "VARCHAR[]", "for people", False, "['a; b']"),
        )
    }


def test_what_is_read_is_what_a_database_has(tmp_path: Path) -> None:
    files = written(tmp_path, BALANCES, LATER)
    with duckdb.connect() as db:
        migrate(db, files)
        described = db.execute("DESCRIBE accounts.holdings").fetchall()
    assert [(column.name, column.type, column.required) for column in read_tables(files)["accounts.holdings"]] == [
        (name, type_, nullable == "NO") for name, type_, nullable, *_ in described
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("CREATE TABLE a.b (\n    x MONEY,  -- no such type\n);\n", 1, "CREATE TABLE a.b ("),
        ("CREATE TABLE a.b (\n    x DOUBLE,\n);\n", 1, "CREATE TABLE a.b ("),  # nobody says what it is
        ("CREATE TABLE a.b (\n    x DOUBLE PRIMARY KEY,  -- a constraint\n);\n", 1, "CREATE TABLE a.b ("),
        ("CREATE TABLE a.b (\n);\n", 1, "CREATE TABLE a.b ("),
        ("\n-- why\nCREATE TABLE a.b AS SELECT 1;\n", 3, "CREATE TABLE a.b AS"),
        ("CREATE SCHEMA a;\n\nALTER TABLE a.b ADD COLUMN x DOUBLE;\n", 3, "ALTER TABLE a.b ADD COLUMN x DOUBLE;"),
        ("CREATE SCHEMA a;\nCOMMENT ON COLUMN a.b.x IS 'gone';\n", 2, "COMMENT ON COLUMN a.b.x"),
        ("CREATE UNIQUE INDEX i ON a.b (x);\n", 1, "CREATE UNIQUE INDEX"),
        ("CREATE SCHEMA a;\nCREATE SCHEMA b\n", 2, "no end of a statement: CREATE SCHEMA b"),
    ],
)
def test_what_is_not_understood_is_named_and_not_dropped(tmp_path: Path, text: str, line: int, says: str) -> None:
    [file] = written(tmp_path, text)
    with pytest.raises(SchemaError) as raised:
        read_tables([file])
    assert str(raised.value).startswith(f"{file}, line {line}: ")
    assert says in str(raised.value)


def test_words_may_be_mended_and_sql_may_not(tmp_path: Path) -> None:
    before, words, sql = written(
        tmp_path,
        "CREATE TABLE a.b (\n    x DOUBLE,  -- a price\n);\n",
        "-- New words.\nCREATE TABLE a.b (\n    x   DOUBLE,  -- the price\n);\n",
        "CREATE TABLE a.b (\n    x BIGINT,  -- a price\n);\n",
    )
    assert digest(before) == digest(words) != digest(sql)


def test_released_migrations_are_as_they_were_released() -> None:
    lines = (SQL / "released.txt").read_text().splitlines()
    released = dict(line.split() for line in lines if not line.startswith("#"))
    assert len(released) >= 6
    assert {name: digest(SQL / f"{name}.sql") for name in released} == released
    assert set(released) <= {file.stem for file in MIGRATIONS}
