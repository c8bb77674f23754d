"""`kill -9` at any moment of a backfill: the next one requests the rest, and no point is lost or there twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.live_coin_watch import LiveCoinWatch
from lcw_assets.simulator.market import Market
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.defs.history.harness import Desk
from lcw_assets_tests.defs.history.worker import COINS, WANTED
from lcw_assets_tests.patience import PATIENCE_S, until

KILLS = 10


def test_killed_at_ten_moments_and_every_answered_point_is_there_once(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    most, asked = [0], list[Draw]()

    def so_many_and_no_more(draw: Draw) -> Fault:
        """So that no worker is done before it is killed, however late that comes."""
        asked.append(draw)
        return Fault(delay_s=0.02 if draw.number <= most[0] else PATIENCE_S)

    simulator, address = start_simulator(profile=so_many_and_no_more)
    desk = Desk(tmp_path)
    moments = random.Random(20261120)  # noqa: S311
    command = [sys.executable, "-m", "lcw_assets_tests.defs.history.worker", address, str(tmp_path)]
    for kill in range(KILLS):
        most[0] = len(asked) + moments.randrange(5, 20)
        with subprocess.Popen(command) as worker:
            if kill % 3 == 2:
                time.sleep(moments.uniform(0.3, 1.0))  # as it starts, and stores what the one before has left
            else:
                until(lambda: len(asked) >= most[0], every_s=0.002)
                time.sleep(moments.uniform(0, 0.05))
            worker.kill()
        assert worker.returncode == -9
    made = desk.plan("coin_hourly", WANTED, COINS)
    assert made.calls > 50
    already = len(asked)
    most[0] = sys.maxsize
    assert subprocess.run(command).returncode == 0
    rest = [json.loads(draw.content) for draw in asked[already:] if draw.endpoint == "coins/single/history"]
    # Only what is missing. (Whether NOSUCH was answered by then, so that it is known as unknown, is a matter of luck.)
    assert {(request["code"], request["start"]) for request in rest if request["code"] != "NOSUCH"} == {
        (ask.code, int(ask.window.start.timestamp() * 1000)) for ask in made.requests() if ask.code != "NOSUCH"
    }

    api = LiveCoinWatch(Market(1))
    succeeded: dict[tuple[str, int], float] = {}
    for entry in simulator.ledger.entries:
        if entry.good and entry.endpoint == "coins/single/history":
            document = api.document(entry.endpoint, entry.request.encode("latin-1"), NOON)
            code = json.loads(entry.request)["code"]
            succeeded |= {(code, point["date"]): point["rate"] for point in document["history"]}
    rows = desk.query("SELECT code, epoch_ms(date), rate FROM history.coin_hourly")
    assert len(rows) == len(succeeded) > 5_000
    assert {(code, date): rate for code, date, rate in rows} == succeeded
    assert desk.plan("coin_hourly", WANTED, COINS).calls == 0
    assert desk.spool.files() == []
