"""The documentation's claims that can be run are run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from lcw_assets.settings import Settings
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.schema import migrate
from lcw_assets_tests.commands import ROOT

DOCS = ROOT / "docs"


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / file).read_text(), re.DOTALL)


def test_the_asset_of_ten_lines_runs_with_its_test(tmp_path: Path) -> None:
    """What the reader does: copy the two blocks into a checkout and run pytest."""
    module, test = blocks("extending.md", "python")
    assert len([line for line in module.split("def movers")[1].splitlines() if line.strip()]) <= 10
    shutil.copytree(ROOT / "lcw_assets", tmp_path / "lcw_assets")
    (tmp_path / "lcw_assets" / "defs" / "movers.py").write_text(module)
    (tmp_path / "test_movers.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_movers.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "LCW_COINS": "600"},
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_queries_of_the_docs_work() -> None:
    with duckdb.connect() as db:
        migrate(db)
        for query in (
            query for file in DOCS.glob("*.md") for sql in blocks(file.name, "sql") for query in sql.split(";\n\n")
        ):
            db.execute(query)


def test_the_query_of_the_readme_works(tmp_path: Path) -> None:
    [query] = re.findall(r'duckdb data/demo\.duckdb "(.*)"', (ROOT / "README.md").read_text())
    with open_database(tmp_path / "demo.duckdb") as db:
        db.execute(query)


def test_every_path_and_link_exists() -> None:
    for file in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]:
        text = file.read_text()
        links = re.findall(r"\]\((?!http)([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
        for link in links:
            assert (file.parent / link).exists(), (file, link)
        for path in re.findall(r"`((?:lcw_assets|lcw_assets_tests|benchmarks)/[\w/.*]+)`", text):
            assert list(ROOT.glob(path.rstrip("/"))) or path == "lcw_assets/defs/movers.py", (file, path)


def test_every_variable_that_is_named_exists() -> None:
    known = {str(field.alias) for field in Settings.model_fields.values()} | {"LCW_RECORDED_DIR"}
    for file in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]:
        assert set(re.findall(r"\bLCW_[A-Z_]+\b", file.read_text())) <= known, file


@pytest.mark.parametrize("command", ["cycle", "test", "dev", "status", "alert-test", "slow-demo", "lint", "types"])
def test_every_make_target_exists(command: str) -> None:
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
