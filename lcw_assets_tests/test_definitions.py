"""What it costs to load the definitions, which every server and every run does: nothing is read, opened or asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lcw_assets_tests.conftest import StartSimulator

ROOT = Path(__file__).parents[1]

LOAD = "import json, sys; from lcw_assets.definitions import defs; defs(); print(json.dumps(sorted(sys.modules)))"

CYCLE = """
import json, sys
import dagster as dg
from lcw_assets.definitions import defs
with dg.DagsterInstance.ephemeral() as instance:
    assert defs().resolve_job_def("fetch_cycle").execute_in_process(instance=instance).success
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(program: str, folder: Path, **variables: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:lcw_assets", "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_loading_imports_nothing_heavy_and_touches_no_file(tmp_path: Path) -> None:
    loaded = modules_after(LOAD, tmp_path)
    assert not loaded & {"duckdb", "dagster_duckdb", "pandas", "numpy", "uvicorn", "starlette", "psutil", "tenacity"}
    assert not loaded & {"requests", "lcw_assets.defs.market.load", "lcw_assets.transport.client"}
    declared = {name for name in loaded if name.startswith("lcw_assets.sources.")}
    assert {name for name in declared if name.count(".") > 2 and not name.endswith(".spec")} == set()
    assert "lcw_assets.sources.lcw.spec" in declared
    assert list(tmp_path.iterdir()) == []


def test_a_cycle_imports_no_more_than_it_needs(tmp_path: Path, start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    loaded = modules_after(CYCLE, tmp_path, LCW_BASE_URL=address, LCW_COINS="100")
    assert "duckdb" in loaded
    heavy = {"pandas", "pyarrow", "requests_cache", "dagster_webserver", "uvicorn", "starlette"}
    if sys.version_info < (3, 11):
        heavy.remove("pandas")  # DuckDB 1.5 imports it by itself
    assert not loaded & heavy


def test_the_one_door_stays_small() -> None:
    lines = (ROOT / "lcw_assets" / "definitions.py").read_text().splitlines()
    assert len(lines) < 50
