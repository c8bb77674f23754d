"""A finished pull outlives the machine: it is on the disk itself before anybody opens the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lcw_assets.alerts.outbox import Outbox
from lcw_assets_tests.alerts.test_channels import alert
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.ingest.power_cut import Disk


def test_what_was_pulled_is_on_the_disk_before_the_database_is_opened(
    start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content, and its name: the file of a folder that was not synced is gone with the power."""
    _, address = start_simulator(contracts=20)
    variables = {"LCW_BASE_URL": address, "KUCOIN_FUTURES_BASE_URL": address, "LCW_COINS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "lcw_assets_tests.ingest.power_cut"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    waited = [json.loads(line) for line in done.stdout.splitlines()]
    assert {seen["folder"] for seen in waited} == {"simulator", "kucoin-simulator", "simulator-history"}
    assert [seen for seen in waited if not seen["content"]] == []
    assert [seen for seen in waited if not seen["name"]] == []


def test_an_alert_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found under that name after a power cut is whole: it is sent, and not set aside as unreadable."""
    disk, names = Disk(), list[list[str]]()
    synced = disk.watch(os.fsync)

    def fsync(fd: int) -> None:
        synced(fd)
        names.append([file.suffix for file in (tmp_path / "alerts").iterdir()])

    monkeypatch.setattr(os, "fsync", fsync)
    Outbox(tmp_path / "alerts", str).put([alert()], print)
    [file] = (tmp_path / "alerts").iterdir()
    assert disk.has_content(file)
    assert names == [[".new"]]
