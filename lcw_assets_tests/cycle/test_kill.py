"""`kill -9` at any moment: every cycle is whole or absent, and nothing that was answered to a finished pull is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lcw_assets.simulator.ledger import Entry
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.cycle.cycles import Bench

KILLS = 60
CALLS = 7  # of a cycle of 300 coins


@dataclass
class Round:
    """One cycle: when it ran, what was answered to it, and whether it said that its pull was finished."""

    started_at: datetime
    ended_at: datetime
    answered: list[Entry]
    finished: bool


def test_killed_at_sixty_moments(
    start_simulator: StartSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("LCW_COINS", "300")
    monkeypatch.setenv("LCW_BURST", "1000")  # an hour's cycles in half a minute
    moments = random.Random(20261120)  # noqa: S311
    rounds: list[Round] = []
    log = tmp_path / "log"
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-m", "lcw_assets_tests.cycle.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as nursery,
    ):

        def run(kill_after_s: float | None = None) -> float:
            started, started_at = time.monotonic(), datetime.now(timezone.utc)
            answered, logged = len(simulator.ledger.entries), log.stat().st_size
            assert nursery.stdin and nursery.stdout
            nursery.stdin.write("never\n" if kill_after_s is None else f"{kill_after_s}\n")
            nursery.stdin.flush()
            assert nursery.stdout.readline() == "ended\n"
            seconds = time.monotonic() - started
            time.sleep(0.05)  # the simulator may still be writing its books
            finished = b"pulled in" in log.read_bytes()[logged:]
            entries = [entry for entry in simulator.ledger.entries[answered:] if entry.good]
            rounds.append(Round(started_at, datetime.now(timezone.utc), entries, finished))
            return seconds

        run()
        usual_s = run()
        for _ in range(KILLS):
            run(moments.uniform(0, usual_s))
        run()
        assert nursery.stdin
        nursery.stdin.close()

    bench = Bench(tmp_path / "data")
    rows = bench.query("SELECT cycle_id, started_at, status, pull_s FROM ops.cycles ORDER BY started_at")
    pulls = dict(bench.query("SELECT cycle_id, count(*) FROM raw.pulls GROUP BY ALL"))
    facts = dict(bench.query("SELECT cycle_id, count(*) FROM ops.calls WHERE outcome = 'ok' GROUP BY ALL"))
    assert bench.spool.pending() == []
    assert bench.query("SELECT count(*), count(DISTINCT (cycle_id, endpoint, request)) FROM raw.pulls") == [
        (sum(pulls.values()),) * 2
    ]
    assert len({cycle_id for cycle_id, *_ in rows}) == len(rows)
    assert bench.query("SELECT count(*) - count(DISTINCT (code, currency)) FROM market.coins") == [(0,)]
    assert set(pulls) <= {cycle_id for cycle_id, *_ in rows}  # no answer without its cycle

    for cycle_id, _, status, pull_s in rows:
        if status == "complete":
            assert pulls[cycle_id] == facts[cycle_id] == CALLS
        else:  # its process died while it pulled: what it had is there, with its facts
            assert pull_s is None
            assert pulls.get(cycle_id, 0) <= CALLS

    finished = [round_ for round_ in rounds if round_.finished]
    assert len(finished) < len(rounds), "no kill came before the end of a pull"
    assert len(finished) > 10, "no kill came after the end of a pull"
    for round_ in rounds:
        mine = [row for row in rows if round_.started_at <= row[1] <= round_.ended_at]
        assert len(mine) <= 1
        stored = pulls.get(mine[0][0], 0) if mine else 0
        assert stored <= len(round_.answered)
        if round_.finished:
            assert [row[2] for row in mine] == ["complete"]
            assert stored == len(round_.answered) == CALLS
