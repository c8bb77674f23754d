"""Imports run one way, and only the settings read the environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "lcw_assets"

# What each folder may import. `settings`, `console` and the like stand beside them. How foreign text and numbers are
# shown is for all.
FOR_ALL = {"escape", "rounding"}
MAY_IMPORT = {
    "coordination": set(),
    "transport": {"coordination"},
    "simulator": set(),
    "sources": {"coordination", "transport"},
    "warehouse": {"coordination"},
    "ingest": {"coordination", "warehouse"},
    "performance": {"coordination", "ingest", "user_files", "warehouse"},
    "alerts": {"coordination", "transport", "warehouse"},
    "registry": {"alerts", "ingest", "sources", "transport", "warehouse"},
    "history": {"coordination", "ingest", "sources", "transport", "user_files", "warehouse"},
    "cycle": {"ingest", "performance", "sources", "transport", "warehouse"},
    "cli": {"alerts", "environment", "ingest", "performance", "settings", "warehouse"},
    "resources": {"coordination", "environment", "settings", "simulator", "sources", "transport", "warehouse"},
    "defs": {
        "alerts",
        "console",
        "coordination",
        "cycle",
        "dagster_private",
        "environment",
        "history",
        "ingest",
        "performance",
        "registry",
        "resources",
        "settings",
        "transport",
        "warehouse",
    },
}
KNOW_NO_DAGSTER = (
    set(MAY_IMPORT) - {"defs", "resources"} | {"settings", "environment", "user_files", "addresses"} | FOR_ALL
)


def imports(file: Path) -> set[str]:
    """Everything a file imports, at the top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py")) or [ROOT / f"{room}.py"]


def test_every_room_is_in_the_plan() -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    for file in files(room):
        rooms = {name.split(".")[1] for name in imports(file) if name.startswith("lcw_assets.")}
        assert rooms <= MAY_IMPORT[room] | {room} | (FOR_ALL if room != "simulator" else set()), file


@pytest.mark.parametrize("module", sorted(FOR_ALL))
def test_what_all_may_import_imports_nothing_of_ours(module: str) -> None:
    assert not [name for name in imports(ROOT / f"{module}.py") if name.startswith(("lcw_assets", "dagster"))]


@pytest.mark.parametrize("room", sorted(KNOW_NO_DAGSTER))
def test_these_know_no_dagster(room: str) -> None:
    for file in files(room):
        assert not {name for name in imports(file) if name.split(".")[0].startswith("dagster")}, file


def test_dagsters_private_modules_are_used_in_one_place() -> None:
    """A new version may change them: what breaks is one file, and test_dagster_private.py says what."""
    for file in ROOT.rglob("*.py"):
        private = {name for name in imports(file) if name.startswith("dagster._")}
        assert not private or file.name == "dagster_private.py", (file, private)


def test_only_the_settings_read_the_environment() -> None:
    for file in ROOT.rglob("*.py"):
        if file.name not in ("settings.py", "environment.py"):
            text = file.read_text()
            assert "os.environ" not in text, file
            assert "getenv" not in text, file


def test_files_are_one_thing_each() -> None:
    """Over 250 lines or so, a file is two; a room called utils has no subject."""
    for file in ROOT.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 260, file
        assert not {"utils", "helpers", "common", "misc"} & set(file.with_suffix("").parts), file
