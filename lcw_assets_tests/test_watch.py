"""A cycle that is slow, watched by Dagster's own daemon: the alert is there before the cycle has ended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lcw_assets.performance.sla import BUILT_IN
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.alerts.receivers import webhook
from lcw_assets_tests.commands import CYCLE, Project
from lcw_assets_tests.conftest import StartSimulator


@contextmanager
def daemon(project: Project, **variables: str) -> Iterator[None]:
    log = project.folder / "daemon.log"
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=project.folder, env=project.environment(**variables), stdout=output, stderr=output
        ) as process,
    ):
        until(lambda: "watch_cycles" in log.read_text(), 60)
        try:
            yield
        finally:
            process.terminate()


def until(true: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.1)


def stuck(draw: Draw) -> Fault:
    """One page is refused, and refused again, for as long as anybody asks."""
    if draw.endpoint == "coins/list" and '"offset": 100' in draw.content:
        return Fault("error", status=503, retry_after="9")
    return Fault()


def test_a_cycle_is_reported_while_it_is_still_running(start_simulator: StartSimulator, tmp_path: Path) -> None:
    """It would run into its deadline of 45 s, and the sensor looks every 10 to 15. Nobody waits for the rest."""
    _, simulator = start_simulator(profile=stuck)
    (tmp_path / "sla.toml").write_text(BUILT_IN.read_text().replace("cycle_warn_s = 30", "cycle_warn_s = 1"))
    project = Project.make(tmp_path / "project")
    project.run("instance", "info")
    project.run("schedule", "stop", "fetch_cycle_every_minute")
    with webhook() as hook:
        variables = {
            "LCW_BASE_URL": simulator,
            "LCW_COINS": "200",
            "LCW_SLA_FILE": str(tmp_path / "sla.toml"),
            "LCW_ALERT_URLS": f"json://127.0.0.1:{hook.port}/",
        }
        with (
            daemon(project, **variables),
            subprocess.Popen(
                project.command(*CYCLE),
                cwd=project.folder,
                env=project.environment(**variables),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ) as cycle,
        ):
            until(lambda: bool(hook.received), 40)
            assert cycle.poll() is None
            cycle.kill()
            until(lambda: any(row[1] for row in alerts(project)), 30)
    [first, *_] = hook.received
    assert first["title"] == "lcw-assets warning: cycle_time"
    assert "coins/list offset 100 has not answered for " in first["message"]
    assert " after a 503" in first["message"]
    assert alerts(project)[0][0] == "cycle_time"


def alerts(project: Project) -> list[tuple[str, list[str]]]:
    with open_database(project.data / "demo.duckdb") as db:
        return db.execute("SELECT incident, delivered FROM ops.alerts ORDER BY alert_id").fetchall()
