"""The three ways to start a backfill, each through the processes that a user has: commands, webserver, daemon."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus

from lcw_assets.defs.history.series import SERIES
from lcw_assets.simulator.server import Simulator
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.commands import ROOT, Project
from lcw_assets_tests.conftest import NOON
from lcw_assets_tests.patience import PATIENCE_S, until
from lcw_assets_tests.servers_of_dagster import daemon, stop_schedules, webserver

# They share servers that take half a minute to start.
pytestmark = pytest.mark.xdist_group("backfill commands")

COINS = {"LCW_TRACKED_COINS": "BTC,ETH", "LCW_BURST": "1000"}


@dataclass
class House:
    """A project folder in which `make dev` runs, and the simulator that its runs ask."""

    project: Project
    instance: dg.DagsterInstance
    simulator: Simulator
    variables: dict[str, str]
    ui: str

    def run(self, *command: str) -> str:
        """What a command says on the terminal. It has to succeed."""
        done = subprocess.run(
            [sys.executable, "-m", *command] if command[0] == "dagster" else list(command),
            cwd=self.project.folder,
            env=self.project.environment(**self.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def asked(self, series: str) -> list[dict[str, Any]]:
        """Every request for the points of a series that was answered."""
        wanted = SERIES[series]
        entries = [entry for entry in self.simulator.ledger.entries if entry.endpoint == wanted.endpoint]
        requests_ = [json.loads(entry.request) for entry in entries]
        window_ms = int(wanted.window.total_seconds() * 1000)
        return [request for request in requests_ if request["end"] + 1 - request["start"] == window_ms]

    def days(self, series: str) -> set[str]:
        """The days that the asset's page shows as done."""
        return set(self.instance.get_materialized_partitions(dg.AssetKey(["history", series])))

    def ended(self, backfill_id: str) -> BulkActionStatus:
        """How a backfill ended, once it has, and each of its runs. Those have to succeed."""

        def status() -> BulkActionStatus:
            backfill = self.instance.get_backfill(backfill_id)
            assert backfill
            return backfill.status

        def runs() -> list[dg.DagsterRun]:
            return list(self.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id})))

        until(lambda: status() in BULK_ACTION_TERMINAL_STATUSES and all(run.is_finished for run in runs()))
        assert {run.status for run in runs()} == {dg.DagsterRunStatus.SUCCESS}
        return status()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_database(self.project.data / "demo.duckdb") as db:
            return db.execute(sql).fetchall()

    def ask_ui(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """As the page in the browser does."""
        response = requests.post(
            f"{self.ui}/graphql", json={"query": query, "variables": variables}, timeout=PATIENCE_S
        ).json()
        assert "errors" not in response, response
        document: dict[str, Any] = response["data"]
        return document


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, definitions: dg.Definitions) -> Iterator[House]:
    project = Project.make_ready(tmp_path_factory.mktemp("house") / "project")
    shutil.copy(ROOT / "pyproject.toml", project.folder)  # by which `dg` knows a project
    simulator = Simulator(clock=lambda: NOON)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as there:
        there.chdir(project.folder)  # dagster.yaml keeps everything beside itself
        variables = {**COINS, "LCW_BASE_URL": stack.enter_context(simulator.serve())}
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(project.folder)))
        stop_schedules(instance, definitions)
        stack.enter_context(daemon(project, **variables))
        ui = stack.enter_context(webserver(project, **variables))
        yield House(project, instance, simulator, variables, ui)


def test_dg_launch_fills_a_range_in_one_run(house: House) -> None:
    dg_ = str(Path(sys.executable).with_name("dg"))
    days = "2025-01-01...2025-04-30"
    said = house.run(dg_, "launch", "--assets", "history/coin_daily", "--partition-range", days)
    assert "plan: history.coin_daily, 2 coins, 120 days from 2025-01-01: 4 calls, as many credits" in said
    assert "4 of 4 calls" in said
    assert len(house.asked("coin_daily")) == 4
    done = house.days("coin_daily")
    assert (len(done), min(done), max(done)) == (120, "2025-01-01", "2025-04-30")
    assert house.query("SELECT DISTINCT code FROM history.coin_daily ORDER BY code") == [("BTC",), ("ETH",)]


def test_dagster_job_backfill_fills_each_day_and_pays_once(house: House) -> None:
    """Whatever runs it makes of them: a hundred days of a coin are one call."""
    command = ("dagster", "job", "backfill", "-j", "backfill_overview_daily", "--noprompt")
    said = house.run(*command, "--from", "2025-06-01", "--to", "2025-06-03")
    [backfill_id] = re.findall(r"Launched backfill job `(\w+)`", said)
    assert house.ended(backfill_id) in (BulkActionStatus.COMPLETED, BulkActionStatus.COMPLETED_SUCCESS)
    assert house.days("overview_daily") == {f"2025-06-0{day}" for day in (1, 2, 3)}
    assert len(house.asked("overview_daily")) == 1
    days = "SELECT count(*) FROM history.overview_daily WHERE bucket BETWEEN '2025-06-01' AND '2025-06-03 12:00'"
    assert house.query(days) == [(3,)]


_LAUNCH = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_PROGRESS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill {
      status
      assetBackfillData {
        assetBackfillStatuses {
          ... on AssetPartitionsStatusCounts {
            numPartitionsTargeted numPartitionsMaterialized numPartitionsInProgress numPartitionsFailed
          }
        }
      }
    }
  }
}
"""


def test_the_ui_fills_days_that_were_chosen_and_shows_what_became_of_them(house: House) -> None:
    """The mutation that *Materialize* sends, and the query of the backfill's page."""
    chosen = ["2025-09-01", "2025-09-02", "2025-09-03"]
    params = {"assetSelection": [{"path": ["history", "coin_hourly"]}], "partitionNames": chosen, "tags": []}
    launched = house.ask_ui(_LAUNCH, {"params": params})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    assert house.ended(launched["backfillId"]) == BulkActionStatus.COMPLETED_SUCCESS
    assert house.days("coin_hourly") == set(chosen)
    assert len(house.asked("coin_hourly")) == 2  # four days of a coin are one call
    page = house.ask_ui(_PROGRESS, {"id": launched["backfillId"]})["partitionBackfillOrError"]
    assert page == {
        "status": "COMPLETED_SUCCESS",
        "assetBackfillData": {
            "assetBackfillStatuses": [
                {
                    "numPartitionsTargeted": 3,
                    "numPartitionsMaterialized": 3,
                    "numPartitionsInProgress": 0,
                    "numPartitionsFailed": 0,
                }
            ]
        },
    }


def test_a_day_that_cannot_be_is_refused_on_the_terminal(house: House) -> None:
    done = subprocess.run(
        house.project.command("job", "backfill", "-j", "backfill_coin_5min", "--noprompt", "--from", "2013-01-01"),
        cwd=house.project.folder,
        env=house.project.environment(**house.variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode != 0
    assert "2013-01-01" in done.stdout
    assert house.days("coin_5min") == set()
