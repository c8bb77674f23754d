"""What many tests start from: a clean environment, simulators, recorded responses, and a cycle to run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import hypothesis
import pytest
from playwright.sync_api import Page, sync_playwright

from lcw_assets.definitions import defs
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.spec import discover
from lcw_assets_tests.commands import is_about_the_network
from lcw_assets_tests.patience import PATIENCE_S

# Machines are slow and noisy; what a test needs is the same examples everywhere.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")

# Dagster's UI loads for seconds on a small machine that runs the rest of the suite beside it.
PATIENCE_MS = 1000 * PATIENCE_S

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)

# Responses that the real service gave. They are not part of the project: see SOURCES.md beside them.
RECORDED = Path(os.environ.get("LCW_RECORDED_DIR", Path(__file__).parents[2] / "shared" / "recorded"))

StartSimulator = Callable[..., tuple[Simulator, str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait longest come first: at the end all others would wait for them."""
    items.sort(key=lambda item: item.path.name not in ("test_terminal.py", "test_backfill_commands.py", "test_docs.py"))


def pytest_xdist_auto_num_workers() -> int:
    """Two a core: the slowest tests wait for daemons and time-outs, and compute little."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's reaches a test, and no test writes beside its own folder."""
    ours = ("LCW_", "PRICES_", *(f"{source.variables}_" for source in discover().values()))
    for name in list(os.environ):
        if name.startswith(ours) or is_about_the_network(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LCW_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def start_simulator() -> Iterator[StartSimulator]:
    """Start a simulator with the given arguments; gives it and its address. Its clock stands at noon."""
    with ExitStack() as stack:

        def start(**options: Any) -> tuple[Simulator, str]:
            simulator = Simulator(**{"clock": lambda: NOON, **options})
            return simulator, stack.enter_context(simulator.serve())

        yield start


@pytest.fixture(scope="session")
def definitions() -> dg.Definitions:
    return defs()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run_cycle(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Callable[..., dg.ExecuteInProcessResult]:
    """Run the job `fetch_cycle` in this process, with the environment as it is then."""

    def run(**options: Any) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("fetch_cycle")
        return job.execute_in_process(instance=instance, raise_on_error=False, **options)

    return run


@pytest.fixture
def recorded_lcw() -> Path:
    """The folder of recorded Live Coin Watch responses. Without it a test skips, except in CI, where it fails unless
    `LCW_RECORDED_DIR=none` says that there are none."""
    return recorded_folder("lcw")


@pytest.fixture
def recorded_kucoin() -> Path:
    """The same of KuCoin's."""
    return recorded_folder("kucoin")


def recorded_folder(source: str) -> Path:
    folder = RECORDED / source
    if not folder.is_dir():
        message = f"recorded responses are not at {folder}: set LCW_RECORDED_DIR"
        if os.environ.get("CI") and RECORDED.name != "none":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        message = "no Chromium: apt install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1600, "height": 1400})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()
