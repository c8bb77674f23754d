"""Dagster's own servers, as a user has them: the webserver and the daemon, in processes that end with the test."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import requests
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)

from lcw_assets_tests.commands import Project
from lcw_assets_tests.patience import PATIENCE_S, until

# Dagster's webserver takes the number of a port. One that was free a moment ago may be somebody else's by now, so it is
# handed a socket that listens already.
_SERVE = """
import sys
import uvicorn
from dagster_webserver.cli import cli
run, fd = uvicorn.run, int(sys.argv.pop(1))
uvicorn.run = lambda app, log_level, **_: run(app, fd=fd, log_level=log_level)
cli(auto_envvar_prefix="DAGSTER_WEBSERVER")
"""


@contextmanager
def webserver(project: Project, **variables: str) -> Iterator[str]:
    """The UI's server, once it answers. Gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-c", _SERVE, str(listener.fileno()), "-h", "127.0.0.1", "-p", str(port)]
        with _running(project, [*command, "-w", "workspace.yaml"], "webserver", listener.fileno(), **variables):
            address = f"http://127.0.0.1:{port}"
            requests.get(f"{address}/server_info", timeout=PATIENCE_S).raise_for_status()
            yield address


@contextmanager
def daemon(project: Project, **variables: str) -> Iterator[None]:
    """The daemon, once its sensors look."""
    with _running(
        project, [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"], "daemon", **variables
    ):
        log = project.folder / "daemon.log"
        until(lambda: "watch_cycles" in log.read_text())
        yield


@contextmanager
def _running(project: Project, command: list[str], name: str, *fds: int, **variables: str) -> Iterator[None]:
    with (
        (project.folder / f"{name}.log").open("w") as log,
        subprocess.Popen(
            command,
            cwd=project.folder,
            env=project.environment(**variables),
            stdout=log,
            stderr=log,
            pass_fds=fds,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def stop_schedules(instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
    """As a user does in the UI: nothing runs but what the test starts."""
    for schedule in definitions.get_repository_def().schedule_defs:
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("lcw_assets"), "__repository__")
        instance.add_instigator_state(
            InstigatorState(
                RemoteInstigatorOrigin(repository, schedule.name),
                InstigatorType.SCHEDULE,
                InstigatorStatus.STOPPED,
                ScheduleInstigatorData(schedule.cron_schedule),
            )
        )
