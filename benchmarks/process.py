"""The whole process of a cycle against a server that answers at once, over a no-op Dagster job. Its peak memory too.

`python -m benchmarks.process [runs]`: pairs of runs, one of each in turn, so that a machine that slows down slows
both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from benchmarks.market import market
from benchmarks.report import table
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG
from lcw_assets.warehouse.connection import open_database

ROOT = Path(__file__).parents[1]
NOOP = ["job", "execute", "-m", "benchmarks.noop", "-j", "noop"]
CYCLE = ["job", "execute", "-m", "lcw_assets.definitions", "-j", "fetch_cycle"]


def measure(arguments: list[str], folder: Path, **variables: str) -> tuple[float, float]:
    """Seconds from start to exit, and the peak of its memory in MB."""
    environment = {**os.environ, "DAGSTER_HOME": str(folder), "PYTHONPATH": str(ROOT), **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody runs a service that compiles itself at each start
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed with {process.returncode}")
    bytes_each = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - started, usage.ru_maxrss * bytes_each / 1e6


def scheduled() -> list[str]:
    """The tag that the schedule gives a run. Not of a full hour: those cycles request names and supplies as well."""
    tick = datetime.now(timezone.utc) - timedelta(seconds=2)
    tick -= timedelta(minutes=1) if tick.minute == 0 else timedelta()
    return ["--tags", json.dumps({SCHEDULED_AT_TAG: tick.isoformat()})]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    names = ("no-op job, 12 assets", "a scheduled cycle", "a manual one, with names and supplies")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    memory: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as name, market(2 * runs + 2) as server:
        folder = Path(name)
        shutil.copy(ROOT / "dagster.yaml", folder)
        # A cycle follows the other at once here, so the rate limit would have them wait.
        variables = {"LCW_BASE_URL": server.address, "LCW_API_KEY": "", "LCW_BURST": "1000"}
        for number in range(runs + 1):
            for kind, arguments in zip(names, (NOOP, [*CYCLE, *scheduled()], CYCLE), strict=True):
                took, peak = measure(arguments, folder, **variables)
                server.next_minute()
                if number:  # the first of each makes the instance and the tables
                    seconds[kind].append(took)
                    memory[kind].append(peak)
        with open_database(folder / "data" / "demo.duckdb", read_only=True) as db:
            found = db.execute("SELECT count(*), min(calls), min(coins_seen), min(status) FROM ops.cycles").fetchall()
        if found != [(2 * runs + 2, 14, 1000, "complete")]:
            sys.exit(f"not every cycle was whole: {found}")
    print(table("whole process, start to exit", seconds, budget="at most 1.2 times the no-op job"))
    print(table("peak memory of the process", memory, unit="MB", budget="under 250 MB"))


if __name__ == "__main__":
    main()
