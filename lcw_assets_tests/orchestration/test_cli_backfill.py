"""`dagster job backfill`, as a user types it: what becomes of its runs, and what its page shows."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import BACKFILL_ID_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from dagster_graphql.schema import create_schema

from lcw_assets.orchestration.backfills import join_runs
from lcw_assets.simulator.server import Simulator
from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import StartSimulator

PAGE = """
query Page($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill {
      status
      partitionStatuses { results { partitionName runStatus } }
    }
  }
}
"""


class Daemon:
    """What `dagster-daemon` does in its loops, a step at a time: nobody has to wait for its next look."""

    def __init__(self, project: Project, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self.project = project
        self.instance = instance
        self._workspace = workspace
        self._queue = QueuedRunCoordinatorDaemon(interval_seconds=1)

    def start_runs(self) -> int:
        """Those that the queue lets through, each in a process of its own. Waits until they have ended."""
        list(self._queue.run_iteration(self._workspace))
        begun = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
        started = {run.run_id for run in self.instance.get_runs(dg.RunsFilter(statuses=begun))}
        while self.instance.get_runs_count(dg.RunsFilter(statuses=begun)):
            time.sleep(0.1)
        return len(started)

    def look_at_backfills(self) -> None:
        list(execute_backfill_iteration(self._workspace, logging.getLogger("test")))

    def page(self, backfill_id: str) -> tuple[str, Counter[str]]:
        """What the UI shows of a backfill: its status, and how many of its days are in which state."""
        context = self._workspace.create_request_context()
        found = create_schema().execute(PAGE, context_value=context, variable_values={"id": backfill_id})
        assert found.errors is None
        backfill: Any = found.data["partitionBackfillOrError"]
        return backfill["status"], Counter(day["runStatus"] for day in backfill["partitionStatuses"]["results"])

    def backfill(self, job: str, first: str, last: str) -> str:
        """Type the command. Gives the id that it names."""
        done = self.project.run("job", "backfill", "-j", job, "--from", first, "--to", last, "--noprompt")
        assert "Launched backfill job `" in done.stdout, done.stdout
        return done.stdout.split("Launched backfill job `")[1].split("`")[0]


StartDaemon = Callable[..., Daemon]


@pytest.fixture
def start_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartDaemon]:
    with ExitStack() as stack:

        def start(**variables: str) -> Daemon:
            project = Project.make(tmp_path / "project")
            project.run("instance", "info")
            for name, value in project.environment(LCW_DATA_DIR=str(project.data), **variables).items():
                monkeypatch.setenv(name, value)
            monkeypatch.chdir(project.folder)
            instance = stack.enter_context(dg.DagsterInstance.get())
            workspace = WorkspaceProcessContext(instance, WorkspaceFileTarget(["workspace.yaml"]))
            return Daemon(project, instance, stack.enter_context(workspace))

        yield start


def asked(simulator: Simulator) -> int:
    return sum(entry.endpoint.startswith("overview/history") for entry in simulator.ledger.entries)


def test_twelve_days_are_two_runs_and_the_page_shows_each_day(
    start_daemon: StartDaemon, start_simulator: StartSimulator
) -> None:
    simulator, address = start_simulator()
    daemon = start_daemon(LCW_BASE_URL=address)
    backfill = daemon.backfill("backfill_overview_daily", "2025-06-01", "2025-06-12")
    assert daemon.page(backfill)[1] == {"QUEUED": 12}
    assert daemon.start_runs() == 1  # the queue lets one history run begin at a time
    assert daemon.instance.get_runs_count() == 1
    daemon.look_at_backfills()
    assert daemon.page(backfill) == ("REQUESTED", {"SUCCESS": 1, "QUEUED": 11})
    assert daemon.start_runs() == 1
    daemon.look_at_backfills()
    assert daemon.page(backfill) == ("COMPLETED_SUCCESS", {"SUCCESS": 12})
    key = dg.AssetKey(["history", "overview_daily"])
    assert len(daemon.instance.get_materialized_partitions(key)) == 12
    assert asked(simulator) == 1


def test_a_backfill_whose_runs_fail_has_failed(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(LCW_BASE_URL="http://127.0.0.1:9")
    backfill = daemon.backfill("backfill_overview_daily", "2025-06-01", "2025-06-03")
    for _ in range(2):
        daemon.start_runs()
        daemon.look_at_backfills()
    assert daemon.page(backfill) == ("COMPLETED_FAILED", {"FAILURE": 3})


def test_days_of_reports_are_joined_as_well(start_daemon: StartDaemon) -> None:
    daemon = start_daemon()
    daemon.project.data.mkdir()
    backfill = daemon.backfill("performance_day", "2026-11-01", "2026-11-04")
    for _ in range(2):
        assert daemon.start_runs() == 1
        daemon.look_at_backfills()
    assert daemon.page(backfill) == ("COMPLETED_SUCCESS", {"SUCCESS": 4})


BACKFILL = PartitionBackfill(
    backfill_id="vqgdrfnu",
    status=BulkActionStatus.COMPLETED,  # as the command writes it down
    from_failure=False,
    tags={},
    backfill_timestamp=1764500000.0,
    backfill_end_timestamp=1764500009.0,
    partition_names=["2025-06-01", "2025-06-02", "2025-06-03"],
)
ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("lcw_assets"), "__repository__"), "waits")
TAGS = {BACKFILL_ID_TAG: BACKFILL.backfill_id}


def first_run(instance: dg.DagsterInstance, sleep: Callable[[float], None]) -> str:
    """Two runs of the backfill wait, and a third has begun. Gives what that one logs."""

    @dg.asset
    def day(context) -> None:  # type: ignore[no-untyped-def]  # Dagster takes no annotation that is text
        join_runs(context, sleep)

    @dg.job
    def waits() -> None:
        """Never started."""

    for _ in range(2):
        instance.create_run_for_job(waits, tags=TAGS, status=dg.DagsterRunStatus.QUEUED, remote_job_origin=ORIGIN)
    result = dg.materialize([day], instance=instance, tags=TAGS)
    return "\n".join(entry.user_message for entry in instance.all_logs(result.run_id))


def waiting(instance: dg.DagsterInstance) -> int:
    return instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))


def never(_seconds: float) -> None:
    raise AssertionError("it waited")


def test_the_first_run_waits_for_a_command_that_still_queues_runs(instance: dg.DagsterInstance) -> None:
    said = first_run(instance, lambda _: instance.add_backfill(BACKFILL))
    assert "`dg launch --job __ephemeral_asset_job__ --partition-range FIRST...LAST` starts one for all" in said
    assert "the other 2 days of backfill vqgdrfnu follow in one run" in said
    assert waiting(instance) == 0
    [followed] = instance.get_backfills()
    assert followed.status == BulkActionStatus.REQUESTED
    assert followed.backfill_end_timestamp is None


def test_a_command_that_was_stopped_leaves_a_run_a_day(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcw_assets.orchestration.backfills._QUIET_S", 0.0)
    first_run(instance, never)
    assert waiting(instance) == 2


@pytest.mark.parametrize("status", [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING])
def test_a_backfill_that_the_daemon_follows_is_left_alone(
    instance: dg.DagsterInstance, status: BulkActionStatus
) -> None:
    """Of the UI, or joined by an earlier run of it."""
    instance.add_backfill(BACKFILL._replace(status=status))
    first_run(instance, never)
    assert waiting(instance) == 2
    assert instance.get_backfills()[0].status == status
