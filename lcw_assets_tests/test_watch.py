"""A cycle that is slow, watched by Dagster's own daemon: the alert is there before the cycle has ended."""

from __future__ import annotations

import signal
import subprocess
from functools import partial
from pathlib import Path

import dagster as dg
import pytest

from lcw_assets.defs.monitoring.sla import BUILT_IN
from lcw_assets.ingest.spool import Spool
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.alerts.receivers import webhook
from lcw_assets_tests.commands import CYCLE, Project
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.patience import until
from lcw_assets_tests.servers_of_dagster import daemon, stop_schedules


def stuck(draw: Draw) -> Fault:
    """One page is refused, and refused again, for as long as anybody asks."""
    if draw.endpoint == "coins/list" and '"offset": 100' in draw.content:
        return Fault("error", status=503, retry_after="9")
    return Fault()


def is_stuck(spool: Spool) -> bool:
    """All has come but for the one page, which was refused by now."""
    for path in spool.files():
        spooled = spool.read(path)
        refused = spooled and any(attempt["http_status"] == 503 for attempt in spooled.attempts)
        if spooled and refused and len(spooled.responses) == 5:
            return True
    return False


def test_a_cycle_is_reported_while_it_is_still_running(
    start_simulator: StartSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, definitions: dg.Definitions
) -> None:
    """So that no machine is too slow to see it, the cycle's process is stopped in the middle of its work before the
    daemon is started: it neither ends nor reaches its deadline.
    """
    _, simulator = start_simulator(profile=stuck)
    limits = BUILT_IN.read_text().replace("cycle_warn_s = 30", "cycle_warn_s = 1")
    (tmp_path / "sla.toml").write_text(limits.replace("cycle_error_s = 60", "cycle_error_s = 86400"))
    project = Project.make_ready(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    with dg.DagsterInstance.from_config(str(project.folder)) as instance:
        stop_schedules(instance, definitions)
    with webhook() as hook:
        variables = {
            "LCW_BASE_URL": simulator,
            "LCW_COINS": "200",
            "LCW_SLA_FILE": str(tmp_path / "sla.toml"),
            "LCW_ALERT_URLS": f"json://127.0.0.1:{hook.port}/",
        }
        with subprocess.Popen(
            [*project.command(*CYCLE), "--tags", '{"dagster/max_runtime": "86400"}'],
            cwd=project.folder,
            env=project.environment(**variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as cycle:
            until(partial(is_stuck, Spool(project.data / "spool" / "simulator")))
            cycle.send_signal(signal.SIGSTOP)
            with daemon(project, **variables):
                until(lambda: hook.received)
                cycle.kill()
                until(lambda: any(row[1] for row in alerts(project)))
    [first, *_] = hook.received
    assert first["title"] == "lcw-assets warning: cycle_time"
    assert "coins/list offset 100 has not answered for " in first["message"]
    assert " after a 503" in first["message"]
    assert alerts(project)[0][0] == "cycle_time"


def alerts(project: Project) -> list[tuple[str, list[str]]]:
    with open_database(project.data / "demo.duckdb") as db:
        return db.execute("SELECT incident, delivered FROM ops.alerts ORDER BY alert_id").fetchall()
