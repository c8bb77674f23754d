"""`make sql`: read only, bounded, and one line for whatever goes wrong."""

from __future__ import annotations

import io
import subprocess
import sys

import duckdb
import pytest

from lcw_assets.__main__ import main
from lcw_assets.cli import CommandError
from lcw_assets.cli.query import csv, table
from lcw_assets.settings import DataSettings
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import LockedError, WarehouseError
from lcw_assets_tests.commands import ROOT
from lcw_assets_tests.holders import held_open

WIDE = 1000


@pytest.fixture
def settings() -> DataSettings:
    settings = DataSettings()
    settings.data_dir.mkdir()
    with open_database(settings.database) as db:
        db.execute("CREATE TABLE market.named AS SELECT range AS number, 'coin ' || range AS name FROM range(500)")
    return settings


def test_a_query_is_shown_as_a_table(settings: DataSettings) -> None:
    lines = table(settings, "FROM market.named LIMIT 2", rows=100, width=WIDE)
    assert [line.strip("│ ").split() for line in lines if "coin" in line] == [
        ["0", "│", "coin", "0"],
        ["1", "│", "coin", "1"],
    ]
    assert "number" in lines[1]
    assert not any("--rows" in line for line in lines)


def test_rows_are_bounded_and_it_says_so(settings: DataSettings) -> None:
    lines = table(settings, "FROM market.named", rows=3, width=WIDE)
    assert [line.split()[1] for line in lines if "coin" in line] == ["0", "1", "2"]  # and not the last ones as well
    assert lines[-1] == "at most 3 rows are shown: --rows N shows more, --csv writes all"


def test_a_line_fits_the_terminal(settings: DataSettings) -> None:
    lines = table(settings, "SELECT *, repeat('x', 5000) AS long FROM market.named LIMIT 2", rows=100, width=60)
    assert max(map(len, lines)) <= 60


def test_all_rows_as_csv(settings: DataSettings) -> None:
    written = io.StringIO()
    csv(settings, "SELECT number, CASE WHEN number > 0 THEN name END AS name FROM market.named ORDER BY 1", written)
    lines = written.getvalue().splitlines()
    assert lines[:3] == ["number,name", "0,", "1,coin 1"]
    assert len(lines) == 501


@pytest.mark.usefixtures("settings")
def test_what_is_shown_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for expression, well in (("{} AS name", True), ("error({})", False)):
        query = "SELECT " + expression.format("chr(27) || '[2J' || chr(8232) || chr(10) || 'x'")
        monkeypatch.setattr(sys, "argv", ["lcw_assets", "sql", query])
        assert main() == (0 if well else 1)
        said = capsys.readouterr()
        [line] = [line for line in (said.out or said.err).split("\n") if "2J" in line]
        assert line.isprintable()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM market.nothing", "Catalog Error: Table with name nothing does not exist!"),
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"'),
        ("SELECT nope FROM market.named", 'Binder Error: Referenced column "nope" not found in FROM clause!'),
        ("SELECT 'x'::INTEGER", "Conversion Error: Could not convert string 'x' to INT32"),
        ("DELETE FROM market.named", "read-only"),
        ("CREATE TABLE market.mine (x INTEGER)", "read-only"),
        ("FROM settings", "Table with name settings does not exist"),  # a variable of ours, which DuckDB would look at
        ("  ", 'there is no query: make sql Q="SELECT'),
    ],
)
def test_a_mistake_is_one_line(settings: DataSettings, query: str, says: str) -> None:
    before = settings.database.read_bytes()
    with pytest.raises(CommandError) as raised:
        table(settings, query, rows=9, width=WIDE)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert settings.database.read_bytes() == before


def test_a_statement_without_a_result_is_no_mistake(settings: DataSettings) -> None:
    table(settings, "SET threads = 1", rows=9, width=WIDE)
    csv(settings, "SET threads = 1", io.StringIO())


def test_a_lock_is_one_line_that_names_who_has_it(settings: DataSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcw_assets.warehouse.lock.LOCK_WAIT_S", 0.0)
    with (
        held_open(settings.database),
        pytest.raises(LockedError, match=r"is held open by .*python.* \(process") as raised,
    ):
        table(settings, "SELECT 1", rows=9, width=WIDE)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line() -> None:
    with pytest.raises(WarehouseError, match="does not exist yet: `make cycle` makes it"):
        table(DataSettings(), "SELECT 1", rows=9, width=WIDE)


def test_the_database_is_free_while_rows_are_read(settings: DataSettings) -> None:
    """`make sql ... CSV=1 | less` may stand there for hours: a cycle must be able to store meanwhile."""

    class Reader(io.StringIO):
        wrote: bool = False

        def write(self, text: str) -> int:
            with duckdb.connect(str(settings.database)) as db:
                db.execute("INSERT INTO market.named VALUES (0, 'of a cycle')")
            self.wrote = True
            return len(text)

    reader = Reader()
    csv(settings, "FROM market.named", reader)
    assert reader.wrote


def test_it_needs_no_pandas(settings: DataSettings) -> None:
    code = (
        "import sys; from lcw_assets.settings import DataSettings; from lcw_assets.cli.query import table; "
        "table(DataSettings(), 'SELECT now() AS t, 1.5 AS x, NULL AS n', rows=9, width=99); "
        "sys.exit('pandas' in sys.modules)"
    )
    variables = {"LCW_DATA_DIR": str(settings.data_dir), "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=variables).returncode == 0
