"""The pictures of the documentation, taken from a UI that runs: `python docs/screenshots.py http://127.0.0.1:3000`.

With `--slow`, those of docs/performance.md, from the UI that `make slow-demo` names at its end; with `--backfill ID`,
that of docs/history.md. Needs Chromium, at /usr/bin/chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
CYCLE = (
    '(group:"raw" or group:"market" or key:"ops/cycles" or key:"ops/calls") '
    'and not key:"raw/contracts" and not key:"market/coin_bars"'
)
WIDTH, HEIGHT = 1900, 2600  # tall enough for every asset to load its state


def asset_graph(browser: Browser, address: str, file: Path) -> None:
    """The fetch cycle's assets, in their groups. They fit no window: this is the SVG of the UI's download button."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, accept_downloads=True)
    page.goto(f"{address}/asset-groups~{quote(CYCLE, safe='')}/")
    page.get_by_text("market").last.wait_for()
    page.wait_for_timeout(3000)
    page.keyboard.press("Alt+e")  # expand all groups
    page.wait_for_timeout(3000)
    with page.expect_download() as download:
        page.mouse.click(WIDTH - 27, HEIGHT - 28)
    svg = download.value.path()
    page.set_content(svg.read_text())
    page.locator("svg").first.screenshot(path=file)


def asset_page(browser: Browser, address: str, file: Path) -> None:
    """One table: how fresh it is, what was checked, what its columns mean."""
    page = browser.new_page(viewport={"width": 1400, "height": 860})
    page.goto(f"{address}/assets/market/coins")
    page.get_by_text("Row count").wait_for()
    page.wait_for_timeout(3000)
    page.screenshot(path=file)


def run_page(browser: Browser, address: str, file: Path) -> None:
    """A cycle: its step on a time line, and what it said."""
    page = browser.new_page(viewport={"width": 1400, "height": 860})
    page.goto(f"{address}/runs?q[0]=job%3Afetch_cycle")
    page.locator("a[href*='/runs/']").first.click()
    page.get_by_text("RUN_SUCCESS").first.wait_for()
    page.wait_for_timeout(3000)
    page.screenshot(path=file)


def failing_check(browser: Browser, address: str, file: Path) -> None:
    """The check of a slow cycle, with its number, its limit and its cause."""
    page = browser.new_page(viewport={"width": 1400, "height": 760})
    page.goto(f"{address}/assets/ops/cycles?view=checks&checkDetail=cycle_time")
    page.get_by_text("Likely cause").first.wait_for()
    page.wait_for_timeout(3000)
    page.screenshot(path=file)


def report(browser: Browser, file: Path) -> None:
    """The upper part of the report's page, as `make slow-demo` left it."""
    page = browser.new_page(viewport={"width": 1200, "height": 1150})
    page.goto((HERE.parent / "data" / "slow-demo" / "data" / "reports" / "performance.html").as_uri())
    page.screenshot(path=file)


def backfill_page(browser: Browser, address: str, backfill: str, file: Path) -> None:
    """A backfill that was started in the UI: how many days are done."""
    page = browser.new_page(viewport={"width": 1400, "height": 330})
    page.goto(f"{address}/runs/b/{backfill}?tab=overview")
    page.get_by_text("completed").first.wait_for()
    page.wait_for_timeout(3000)
    page.screenshot(path=file)


def main() -> None:
    address = sys.argv[1].rstrip("/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        if "--slow" in sys.argv:
            failing_check(browser, address, HERE / "failing-check.png")
            report(browser, HERE / "performance-report.png")
        elif "--backfill" in sys.argv:
            backfill_page(browser, address, sys.argv[-1], HERE / "backfill-page.png")
        else:
            asset_graph(browser, address, HERE / "asset-graph.png")
            asset_page(browser, address, HERE / "asset-page.png")
            run_page(browser, address, HERE / "run-page.png")
        browser.close()


if __name__ == "__main__":
    main()
