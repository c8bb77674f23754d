"""dagster.yaml is code: it loads, every setting has its why, and the settings are the ones that matter."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest
import yaml

from lcw_assets_tests.commands import ROOT, Project


def test_it_loads_and_keeps_everything_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.make(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    with dg.DagsterInstance.from_config(str(project.folder)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_poll_interval_seconds == 10
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled
        settings = instance.get_settings("run_monitoring")
        assert settings["free_slots_after_run_end_seconds"] == 30
    left = {path.name for path in project.folder.iterdir()}
    assert left == {"dagster.yaml", "workspace.yaml", ".dagster"}


def test_runs_that_wait_for_a_lock_leave_places_for_a_cycle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an asset's schedule or sensor starts each minute: of ten places it has three."""
    project = Project.make(tmp_path / "project")
    monkeypatch.chdir(project.folder)
    with dg.DagsterInstance.from_config(str(project.folder)) as instance:
        queue = instance.get_concurrency_config().run_queue_config
    assert queue
    limits = {limit["key"]: limit for limit in queue.tag_concurrency_limits}
    for key in ("dagster/schedule_name", "dagster/sensor_name"):
        assert limits[key]["value"] == {"applyLimitPerUniqueValue": True}
        assert limits[key]["limit"] == 3
    assert queue.max_concurrent_runs == 10


def test_every_setting_says_why() -> None:
    paragraphs = (ROOT / "dagster.yaml").read_text().split("\n\n")
    assert len(paragraphs) > 5
    for paragraph in paragraphs:
        assert re.search(r"^ *# ", paragraph, re.MULTILINE), paragraph


def test_the_location_has_one_name() -> None:
    location = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert location["location_name"] == "lcw_assets"
    assert 'code_location_name = "lcw_assets"' in (ROOT / "pyproject.toml").read_text()
