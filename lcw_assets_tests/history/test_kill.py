"""`kill -9` at any moment of a backfill: the next one asks for the rest, and no point is lost or there twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from lcw_assets.simulator.api import Api
from lcw_assets.simulator.faults import Fault
from lcw_assets.simulator.market import Market
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.history.harness import Desk
from lcw_assets_tests.history.worker import COINS, WANTED

KILLS = 10


def test_killed_at_ten_moments_and_every_answered_point_is_there_once(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    simulator, address = start_simulator(profile=lambda _draw: Fault(delay_s=0.02))
    desk = Desk(tmp_path)
    moments = random.Random(20261120)  # noqa: S311
    command = [sys.executable, "-m", "lcw_assets_tests.history.worker", address, str(tmp_path)]
    kills = calls = 0
    while kills < KILLS:
        with subprocess.Popen(command) as worker:
            if kills % 3 == 2:
                time.sleep(moments.uniform(0.3, 1.0))  # as it starts, and stores what the one before has left
            else:
                wanted = len(simulator.ledger.entries) + moments.randrange(1, 15)
                while worker.poll() is None and len(simulator.ledger.entries) < wanted:
                    time.sleep(0.002)
                time.sleep(moments.uniform(0, 0.05))
            worker.kill()
        kills += worker.returncode == -9
        calls = desk.plan("coin_hourly", WANTED, COINS).calls
        assert calls, "it was done before it could be killed ten times"
    asked = len(simulator.ledger.entries)
    assert subprocess.run(command).returncode == 0
    rest = [entry for entry in simulator.ledger.entries[asked:] if entry.endpoint == "coins/single/history"]
    assert len(rest) == calls  # only what is missing

    api = Api(Market(1))
    answered: dict[tuple[str, int], float] = {}
    for entry in simulator.ledger.entries:
        if entry.good and entry.endpoint == "coins/single/history":
            document = api.answer(entry.endpoint, entry.request.encode("latin-1"), NOON)
            code = json.loads(entry.request)["code"]
            answered |= {(code, point["date"]): point["rate"] for point in document["history"]}
    rows = desk.query("SELECT code, epoch_ms(date), rate FROM history.coin_hourly")
    assert len(rows) == len(answered) > 5_000
    assert {(code, date): rate for code, date, rate in rows} == answered
    assert desk.plan("coin_hourly", WANTED, COINS).calls == 0
    assert desk.spool.files() == []
