"""What stands on the terminal of `make dev` and of `make slow-demo`, with all of their processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import StartSimulator

# Ten processes start, on a machine that may have much else to do.
PATIENCE_S = 300.0


@contextmanager
def dev(project: Project, **variables: str) -> Iterator[list[str]]:
    """`make dev`, until the block ends. Gives the lines of its terminal as they come."""
    with subprocess.Popen(
        ["/usr/bin/env", "make", "dev", "PORT=0"],  # whichever is free
        cwd=project.folder,
        env=project.activated(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        lines: list[str] = []
        assert process.stdout
        reader = threading.Thread(target=lambda stream: lines.extend(map(str.rstrip, stream)), args=(process.stdout,))
        reader.start()
        try:
            yield lines
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            reader.join()


def until(true: Callable[[], object], what: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends, what()
        time.sleep(0.2)


def test_the_terminal_has_a_line_a_cycle_and_a_line_for_what_is_wrong(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    project = Project.checkout(tmp_path / "project")
    variables = {"LCW_BASE_URL": start_simulator()[1], "LCW_COINS": "100", "LCW_DATA_DIR": str(project.data)}
    with dev(project, **variables) as lines:
        until((project.folder / ".dagster" / "history" / "runs.db").exists, lambda: lines)
        for job in ("fetch_cycle", "backfill_coin_daily"):  # a backfill without days fails
            launch = (
                f"""dagster job launch -w workspace.yaml -j {job} --config-json '{{"loggers": {{"console": {{}}}}}}'"""
            )
            done = project.shell(launch, **variables)
            assert done.returncode == 0, done.stdout
        until(lambda: any("cycle: stored " in line for line in lines), lambda: lines)
        until(lambda: any("job backfill_coin_daily" in line for line in lines), lambda: lines)
        said = list(lines)
    assert said[0].endswith("a line a cycle follows, and one for whatever is wrong; Ctrl-C stops")
    with open_database(project.data / "demo.duckdb", lock_wait_s=60) as db:
        [(cycles,)] = db.execute("SELECT count(*) FROM ops.cycles").fetchall()
    assert 1 <= sum("cycle: stored " in line for line in said) <= cycles
    assert sum("history/coin_daily is filled by days: name a partition or a range" in line for line in said) >= 1
    [alert] = [line for line in said if "critical: job backfill_coin_daily" in line]
    assert "Likely cause: history/coin_daily is filled by days" in alert  # all of it in one line
    assert not [
        line for line in said if "coins/list page" in line or "SensorDaemon" in line or "SchedulerDaemon" in line
    ]
    known = re.compile(r"\d\d:\d\d:\d\d \w+: .*|.* - (WARNING|ERROR)\S* - .*|http://.*|.*lcw-assets recovered.*|$")
    assert not [line for line in said if not known.fullmatch(re.sub(r"\x1b\[\d*m", "", line))]


def test_the_slow_demo_shows_a_breach_by_default_and_with_blocking(tmp_path: Path) -> None:
    project = Project.checkout(tmp_path / "project")
    done = project.shell("make slow-demo")
    assert done.returncode == 0, done.stdout
    _well, by_default, _again, blocking = done.stdout.split("\nCYCLE   ")[1:]
    failed_check = r"CHECK +ERROR cycle_time: [\d.]+ s, target at most 6 s, and an error over 12 s"
    assert "RUN     succeeded" in by_default
    assert re.search(failed_check, by_default)
    assert re.search(r"ALERT +lcw-assets (warning|critical): .*cycle_time", by_default)
    assert "slow_cycles: not run" in blocking
    assert "RUN     failed" in blocking
    assert re.search(failed_check, blocking)
    assert "ALERT   lcw-assets critical: ops/cycles:cycle_time" in blocking
    assert "ALERT   lcw-assets critical: job " not in blocking  # one breach is one alert
    assert "stored" in blocking  # nothing is lost
