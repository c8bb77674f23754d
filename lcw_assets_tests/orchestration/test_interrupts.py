"""A cycle that is terminated ends, and is not begun again by its step's retry policy."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import dagster as dg
import pytest

from lcw_assets_tests.commands import CYCLE, Project
from lcw_assets_tests.patience import PATIENCE_S


@pytest.mark.parametrize("how", ["terminated", "by ctrl-c"])
def test_a_cycle_that_is_interrupted_is_not_retried(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the API says nothing. Terminate in the UI marks the run first, and then interrupts its process."""
    project = Project.make_ready(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        dg.DagsterInstance.from_config(str(project.folder)) as instance,
        (tmp_path / "log").open("w+b") as log,
    ):
        silent.settimeout(PATIENCE_S)
        variables = project.environment(LCW_BASE_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = project.command(*CYCLE)
        with subprocess.Popen(command, cwd=project.folder, env=variables, stdout=log, stderr=log) as process:
            silent.accept()
            (run,) = instance.get_runs()
            if how == "terminated":
                instance.report_run_canceling(run)
            process.send_signal(signal.SIGTERM if how == "terminated" else signal.SIGINT)
            process.wait(PATIENCE_S)
        (run,) = instance.get_runs()
        kinds = [entry.dagster_event_type for entry in instance.all_logs(run.run_id)]
    canceled = how == "terminated"
    assert run.status == (dg.DagsterRunStatus.CANCELED if canceled else dg.DagsterRunStatus.FAILURE)
    assert kinds.count(dg.DagsterEventType.STEP_START) == 1
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    said = (tmp_path / "log").read_text()
    assert "cycle: interrupted" in said
    assert "Stack Trace" not in said
