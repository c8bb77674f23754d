"""A source in a folder of a test's own, found as all others are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lcw_assets.sources as package

SPEC = """
from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="toy",
    title="Toy Exchange",
    variables="TOY",
    base_url="https://api.toy.example/v1",
    needs_key=True,
    key_header="authorization",
    rate=Rate(per_s=1000, burst=2000, reserve=500),
    adjustable_rate=True,
    call_s=7.0,
    simulator="live_coin_watch",
    client="lcw_assets.sources.toy.client:Toy",
    client_settings=("coins",),
    watch=("market.coins", "observed_at"),
)
"""

CLIENT = """
from lcw_assets.transport.call import Call


class Toy:
    def __init__(self, client, *, deadline, simulated, coins):
        self.client, self.deadline, self.simulated, self.coins = client, deadline, simulated, coins

    def status(self):
        return self.client.call(Call("POST", "status", {}, self.deadline, lambda response: response.http_status))
"""

AddSource = Callable[..., Path]


@pytest.fixture
def add_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddSource]:
    """Put a folder of files into the package of sources, for one test; gives the file of its declaration."""
    folder = tmp_path / "sources"
    folder.mkdir()
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])

    def add(name: str = "toy", spec: str | None = SPEC, client: str = CLIENT) -> Path:
        (folder / name).mkdir()
        (folder / name / "client.py").write_text(client)
        if spec is not None:
            (folder / name / "spec.py").write_text(spec)
        return folder / name / "spec.py"

    yield add
    for path in folder.iterdir():
        for module in [name for name in sys.modules if name.startswith(f"lcw_assets.sources.{path.name}")]:
            del sys.modules[module]
        vars(package).pop(path.name, None)
