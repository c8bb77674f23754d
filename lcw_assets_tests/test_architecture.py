"""Imports run one way, and only the settings read the environment."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "lcw_assets"

# What each folder may import. How foreign text and numbers are shown is for all.
FOR_ALL = {"escape", "rounding"}
CONCEPTS = {path.parent.name for path in (ROOT / "defs").glob("*/definitions.py")}
MAY_KNOW_ALL = {"monitoring", "upkeep"}
SHARED = {
    "alerts",
    "coordination",
    "ingest",
    "instruments",
    "orchestration",
    "settings",
    "sources",
    "transport",
    "warehouse",
}
MAY_IMPORT = {
    "simulator": set(),
    "coordination": set(),
    "instruments": {"settings", "warehouse"},
    "transport": {"coordination"},
    "sources": {"coordination", "transport"},
    "warehouse": {"coordination"},
    "settings": {"coordination", "sources"},
    "alerts": {"coordination", "transport", "warehouse"},
    "orchestration": {"coordination", "ingest", "settings", "sources", "transport", "warehouse"},
    "ingest": {"coordination", "settings", "simulator", "sources", "transport", "warehouse"},
    "cli": {"alerts", "defs", "ingest", "settings", "sources", "warehouse"},
    "defs": SHARED,
}
KNOW_NO_DAGSTER = set(MAY_IMPORT) - {"defs", "orchestration"} | FOR_ALL

# What Dagster sees of a load. Nothing else of `ingest/` knows it, or what stands on it.
DAGSTER_FACING = [ROOT / "ingest" / name for name in ("factory.py", "step.py")]


def imports(file: Path) -> set[str]:
    """Everything a file imports, at the top or within a function."""
    return imported(ast.parse(file.read_text()), file)


def imported(tree: ast.Module, file: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            folder = ".".join(file.relative_to(ROOT.parent).with_suffix("").parts[: -node.level]) if node.level else ""
            module = ".".join(filter(None, (folder, node.module)))
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names if alias.name != "__version__")}
    return found


@pytest.mark.parametrize(
    "line",
    [
        "import lcw_assets.defs.market.load",
        "from lcw_assets.defs.market import load",
        "from lcw_assets.defs import market",
        "from ..market import load",
        "from .. import market",
        "def f():\n    from lcw_assets.defs.market.load import x",
    ],
)
def test_an_import_is_found_however_it_is_spelt(line: str) -> None:
    file = ROOT / "defs" / "registry" / "a_test_of_imports.py"
    tree = ast.parse(line)
    assert any(name.startswith("lcw_assets.defs.market") for name in imported(tree, file))


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py")) or [ROOT / f"{room}.py"]


def test_every_room_is_in_the_plan() -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room: str) -> None:
    for file in files(room):
        rooms = {name.split(".")[1] for name in imports(file) if name.startswith("lcw_assets.")}
        may_import = MAY_IMPORT[room] | {room} | (FOR_ALL if room != "simulator" else set())
        assert rooms <= may_import | ({"orchestration"} if file in DAGSTER_FACING else set()), file


@pytest.mark.parametrize("concept", sorted(CONCEPTS - MAY_KNOW_ALL))
def test_no_concept_imports_another(concept: str) -> None:
    for file in (ROOT / "defs" / concept).rglob("*.py"):
        found = {name.split(".")[2] for name in imports(file) if name.startswith("lcw_assets.defs.")}
        assert found <= {concept}, file


@pytest.mark.parametrize("concept", sorted(CONCEPTS - MAY_KNOW_ALL))
def test_what_a_concept_spends_on_dagster_is_small(concept: str) -> None:
    """What it shares with others is in `orchestration/` and `ingest/`; its logic knows no Dagster."""
    folder = ROOT / "defs" / concept
    files = [file for file in folder.glob("*.py") if file.name in ("definitions.py", "checks.py", "sensors.py")]
    assert sum(len(file.read_text().splitlines()) for file in files) < 200
    for file in set(folder.rglob("*.py")) - set(files):
        assert not {name for name in imports(file) if name.split(".")[0] == "dagster"}, file


def test_imports_within_functions_are_few() -> None:
    """Each is there because a server of Dagster, or a command, would load what only a run needs."""
    found = {
        (file, node.lineno)
        for file in ROOT.rglob("*.py")
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert len(found) < 30, sorted(found)


@pytest.mark.parametrize("module", sorted(FOR_ALL))
def test_what_all_may_import_imports_nothing_of_ours(module: str) -> None:
    assert not [name for name in imports(ROOT / f"{module}.py") if name.startswith(("lcw_assets", "dagster"))]


@pytest.mark.parametrize("room", sorted(KNOW_NO_DAGSTER))
def test_these_know_no_dagster(room: str) -> None:
    for file in files(room):
        found = imports(file)
        assert file in DAGSTER_FACING or not {name for name in found if name.split(".")[0].startswith("dagster")}, file


@pytest.mark.parametrize("room", sorted(set(MAY_IMPORT) - {"defs"}))
def test_what_dagster_sees_of_a_load_is_for_concepts_and_the_one_door(room: str) -> None:
    """It stands on `orchestration/`, which stands on the rest of `ingest/`."""
    of_loads = {f"lcw_assets.ingest.{file.stem}" for file in DAGSTER_FACING}
    for file in files(room):
        assert file in DAGSTER_FACING or not imports(file) & of_loads, file


def test_dagsters_private_modules_are_used_in_one_place() -> None:
    """A new version may change them: what breaks is one file, and test_dagster_private.py says what."""
    for file in ROOT.rglob("*.py"):
        private = {name for name in imports(file) if name.startswith("dagster._")}
        assert not private or file.name == "dagster_private.py", (file, private)


def test_only_the_settings_read_the_environment() -> None:
    for file in ROOT.rglob("*.py"):
        if file.name != "environment.py":
            text = file.read_text()
            assert "os.environ" not in text, file
            assert "getenv" not in text, file


def test_files_are_one_thing_each() -> None:
    """Over 250 lines or so, a file is two; a room called utils has no subject."""
    for file in ROOT.rglob("*.py"):
        assert len(file.read_text().splitlines()) <= 260, file
        assert not {"utils", "helpers", "common", "misc"} & set(file.with_suffix("").parts), file
