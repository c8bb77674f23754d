"""Which files of the concept know Dagster, and how much they spend on it."""

from __future__ import annotations

from pathlib import Path

import lcw_assets.defs.history
from lcw_assets_tests.test_architecture import imports

FILES = sorted(Path(lcw_assets.defs.history.__path__[0]).glob("*.py"))
KNOW_DAGSTER = {"definitions.py", "checks.py", "sensors.py"}
FOR_DAGSTER = {"lcw_assets.orchestration", "dagster"}


def test_three_files_know_dagster_and_the_logic_does_not() -> None:
    know = {file.name for file in FILES if any(name.startswith(tuple(FOR_DAGSTER)) for name in imports(file))}
    assert know == KNOW_DAGSTER


def test_what_the_concept_spends_on_dagster_is_small() -> None:
    assert sum(len(file.read_text().splitlines()) for file in FILES if file.name in KNOW_DAGSTER) < 200


def test_what_dagster_sees_imports_one_module_of_its_logic_inside_a_step() -> None:
    """The others are imported by that one, at its top."""
    lazy = [
        line.strip()
        for file in FILES
        for line in file.read_text().splitlines()
        if line.startswith("    ") and line.strip().startswith(("from ", "import ")) and " import " in line
    ]
    assert sorted(lazy) == [
        "from duckdb import DuckDBPyConnection",
        "from duckdb import DuckDBPyConnection",
        "from duckdb import DuckDBPyConnection",
        "from lcw_assets.defs.history import gaps",
        "from lcw_assets.defs.history import gaps",
        "from lcw_assets.defs.history import runs",
        "from lcw_assets.defs.history.gaps import Gap",
    ]
