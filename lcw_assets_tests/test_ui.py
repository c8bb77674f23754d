"""The UI in a real browser: what a newcomer sees after one cycle."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from lcw_assets_tests.commands import Project
from lcw_assets_tests.conftest import PATIENCE_MS, StartSimulator
from lcw_assets_tests.servers_of_dagster import webserver


def test_a_cycle_can_be_examined(page: Page, start_simulator: StartSimulator, tmp_path: Path) -> None:
    project = Project.make_ready(tmp_path / "project")
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
        sees("cycle", "Success", "RUN_SUCCESS")

        page.goto(f"{address}/locations/lcw_assets/jobs/fetch_cycle")
        sees("Pull everything from Live Coin Watch once, and store it.", "Every minute")
