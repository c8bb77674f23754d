"""The UI in a real browser: what a newcomer sees after one cycle."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Page, expect

from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import PATIENCE_MS, StartSimulator


@contextmanager
def webserver(project: Project) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    with subprocess.Popen(
        command, cwd=project.folder, env=project.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                requests.get(f"{address}/server_info", timeout=1)
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        try:
            yield address
        finally:
            process.terminate()


def test_a_cycle_can_be_looked_at(page: Page, start_simulator: StartSimulator, tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    project.run("instance", "info")
    cycle = project.cycle(LCW_BASE_URL=start_simulator()[1], LCW_COINS="200")
    assert cycle.returncode == 0, cycle.stdout

    def sees(*texts: str) -> None:
        for text in texts:
            expect(page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)

    with webserver(project) as address:
        page.goto(f"{address}/assets/market/coins")
        sees("Every coin's latest values", "Row count", "Latest check results", "lcw-assets", "DuckDB", "market.coins")
        sees("delta_hour", "multiplier over an hour, 1 is no change", "non-nullable")
        expect(page.get_by_text("200", exact=True).first).to_be_visible(timeout=PATIENCE_MS)

        page.goto(f"{address}/assets/market/coins?view=events")
        sees("rows_changed", "rows_quarantined", "simulator", "complete")

        page.goto(f"{address}/assets/market/coins?view=checks")
        sees("no_gap_or_repeat", "values_in_range", "keys_unique", "fresh")

        page.goto(f"{address}/asset-groups")
        sees("raw", "market", "ops", "Materialize all")

        page.goto(f"{address}/runs")
        page.locator("a[href*='/runs/']").first.click()
        sees("pull", "store", "Success", "RUN_SUCCESS")

        page.goto(f"{address}/locations/lcw_assets/jobs/fetch_cycle")
        sees("Pull everything from Live Coin Watch once, and store it.", "Every minute")
