"""A finished pull outlives the machine: it is on the disk itself before anybody opens the database."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from lcw_assets_tests.conftest import StartSimulator


def test_what_was_pulled_is_on_the_disk_before_the_database_is_opened(
    start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content, and its name: the file of a folder that was not synced is gone with the power."""
    _, address = start_simulator(contracts=20)
    variables = {"LCW_BASE_URL": address, "KUCOIN_FUTURES_BASE_URL": address, "LCW_COINS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "lcw_assets_tests.warehouse.power_cut"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    waited = [json.loads(line) for line in done.stdout.splitlines()]
    assert {seen["folder"] for seen in waited} == {"simulator", "kucoin-simulator", "simulator-history"}
    assert [seen for seen in waited if not seen["content"]] == []
    assert [seen for seen in waited if not seen["name"]] == []
