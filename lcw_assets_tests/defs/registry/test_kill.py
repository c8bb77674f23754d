"""`kill -9` at any moment of the storing: each event, snapshot and alert is there once, as if nothing had happened."""

from __future__ import annotations

import random
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from lcw_assets_tests.child_processes import ChildProcesses, child_processes
from lcw_assets_tests.defs.registry.syncs import Registry, body, contract
from lcw_assets_tests.patience import until

MINUTES = 40


def spool_a_story(registry: Registry) -> None:
    """Each minute a contract comes, another goes or comes back, a third changes, and one response in ten is empty."""
    for minute in range(MINUTES):
        there = [place for place in range(20 + minute) if (place + minute) % 9]
        responses = [contract(f"C{place}USDTM", maxLeverage=minute // 3, markPrice=minute + place) for place in there]
        registry.receive(body(*(responses if minute % 10 else [])))


def everything(registry: Registry) -> dict[str, list[tuple[Any, ...]]]:
    tables = {
        "tokens": "registry.tokens",
        "events": "(FROM registry.token_events SELECT * EXCLUDE (sync_id))",
        "snapshots": "(FROM registry.token_snapshots SELECT * EXCLUDE (sync_id))",
        "syncs": "(FROM ops.syncs SELECT observed_at, status, contracts, listed, relisted, delisted, snapshots)",
        "alerts": "(FROM ops.alerts SELECT kind, what)",
    }
    return {name: registry.query(f"FROM {table} ORDER BY ALL") for name, table in tables.items()}


def _has_stored(registry: Registry, before: int, wanted: int, children: ChildProcesses) -> bool:
    return len(registry.spool.files()) <= before - wanted or children.has_ended()


def test_killed_at_any_moment_each_response_is_stored_and_reported_once(tmp_path: Path) -> None:
    whole, killed = Registry(tmp_path / "whole"), Registry(tmp_path / "killed")
    for registry in (whole, killed):
        spool_a_story(registry)
    started = time.monotonic()
    whole.store_and_deliver()
    each_s = (time.monotonic() - started) / MINUTES
    moments = random.Random(20261120)  # noqa: S311
    left, in_vain = [MINUTES], False
    module = "lcw_assets_tests.defs.registry.child_processes"
    with child_processes(module, str(killed.folder), log=tmp_path / "log") as children:
        while left[-1]:
            children.begin()
            # One whose process is killed three times while it is stored is set aside, and not stored in its turn.
            stored = moments.randrange(1 if in_vain else 0, 7)
            until(partial(_has_stored, killed, left[-1], stored, children), every_s=0.001)
            time.sleep(moments.uniform(0, each_s))
            children.kill()
            children.wait()
            left.append(len(killed.spool.files()))
            in_vain = left[-1] == left[-2]
    assert any(0 < before - after < MINUTES for before, after in pairwise(left)), "none in between"
    killed.store_and_deliver()
    expected = everything(whole)
    assert all(expected.values())
    assert everything(killed) == expected
    assert list((killed.folder / "alerts").iterdir()) == []
