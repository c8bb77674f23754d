"""`kill -9` at any moment: every cycle is whole or absent, and nothing that was answered to a finished pull is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.ledger import Entry
from lcw_assets.simulator.server import Simulator
from lcw_assets_tests.child_processes import ChildProcesses, child_processes
from lcw_assets_tests.conftest import NOON
from lcw_assets_tests.defs.market.cycles import Bench
from lcw_assets_tests.oracle import lost, made_up
from lcw_assets_tests.patience import until

KILLS = 60
CALLS = 7  # of a cycle of 300 coins

# Set in each child's environment.
VARIABLES = {"LCW_COINS": "300", "LCW_BURST": "1000"}  # an hour's cycles in half a minute


@dataclass
class Round:
    """One cycle and the server that it asks, which no other cycle does: so that no response is taken for another's."""

    simulator: Simulator
    address: str
    asked: list[Draw]
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    ended_at: datetime | None = None
    finished: bool = False  # its pull, as it says itself

    def succeeded(self) -> list[Entry]:
        """Its books, once they are written."""
        until(lambda: len(self.simulator.ledger.entries) == len(self.asked))
        return [entry for entry in self.simulator.ledger.entries if entry.good]


@contextmanager
def rounds() -> Iterator[Callable[[], Round]]:
    """Makes a round each time. A page of every fourth cycle takes so long that it is requested twice."""
    serving: list[Any] = []

    def make() -> Round:
        asked: list[Draw] = []
        slow = len(serving) % 4 == 3

        def profile(draw: Draw) -> Fault:
            asked.append(draw)
            return Fault(delay_s=0.4) if slow and draw.turn == 1 and '"offset": 100' in draw.content else Fault()

        simulator = Simulator(profile=profile, clock=lambda: NOON)
        serving.append(simulator.serve())
        return Round(simulator, serving[-1].__enter__(), asked)

    try:
        yield make
    finally:
        with ThreadPoolExecutor(len(serving)) as pool:  # each takes a fifth of a second to end
            list(pool.map(lambda server: server.__exit__(None, None, None), serving))


def put_back(bench: Bench) -> None:
    """A report of a file that was set aside, because its process was killed each time while it stored it."""
    for aside in bench.spool.folder.glob("*.unreadable"):
        aside.rename(aside.with_suffix(".jsonl"))


def test_killed_at_sixty_moments(tmp_path: Path) -> None:
    bench, log = Bench(tmp_path / "data"), tmp_path / "log"
    moments = random.Random(20261120)  # noqa: S311
    made: list[Round] = []
    with (
        rounds() as make,
        child_processes("lcw_assets_tests.job_children", "fetch_cycle", "market", log=log) as children,
    ):

        def run(kill: Callable[[ChildProcesses, Round, Callable[[], bool]], None] | None = None) -> None:
            logged, round_ = log.stat().st_size, make()

            def has_pulled() -> bool:
                return b"fetched in" in log.read_bytes()[logged:]

            children.begin(LCW_BASE_URL=round_.address, **VARIABLES)
            if kill:
                kill(children, round_, has_pulled)
            children.wait()
            round_.finished, round_.ended_at = has_pulled(), datetime.now(timezone.utc)
            made.append(round_)

        run()
        for number in range(KILLS):
            # A third while it starts or asks its first, a third after so many requests, a third after its pull.
            run((early, after_requests, after_the_pull)[number % 3](moments))
        put_back(bench)
        run()

        rows = bench.query("SELECT cycle_id, started_at, status, pull_s FROM ops.cycles ORDER BY started_at")
        stored = bench.query("SELECT cycle_id, endpoint, request, payload FROM raw.pulls")
        facts = bench.query("SELECT cycle_id, endpoint, request, outcome FROM ops.calls")
        assert bench.spool.pending() == []
        assert len({row[:3] for row in stored}) == len(stored)  # nothing twice
        assert len({cycle_id for cycle_id, *_ in rows}) == len(rows)
        assert {row[0] for row in stored} <= {cycle_id for cycle_id, *_ in rows}  # no response without its cycle
        assert bench.query("SELECT count(*) - count(DISTINCT (code, currency)) FROM market.coins") == [(0,)]

        assert not all(round_.finished for round_ in made), "no kill came before the end of a pull"
        assert sum(round_.finished for round_ in made) > 10, "no kill came after the end of a pull"
        for round_ in made:
            assert round_.ended_at
            mine = [row for row in rows if round_.started_at <= row[1] <= round_.ended_at]
            assert len(mine) == 1 if round_.finished else len(mine) <= 1
            cycle_id, status, pull_s = (mine[0][0], *mine[0][2:]) if mine else (None, None, None)
            own = [row[1:] for row in stored if row[0] == cycle_id]
            own_facts = [row[1:] for row in facts if row[0] == cycle_id]
            succeeded = round_.succeeded()
            assert made_up(succeeded, own) == []
            if round_.finished or pull_s is not None:  # it may have been killed before it could say so
                assert lost(succeeded, own, own_facts) == []
                assert (status, len(own)) == ("complete", CALLS)
                assert sum(outcome == "ok" for *_, outcome in own_facts) == CALLS
            elif mine:  # its process died while it pulled: what it had is there
                assert status in ("partial", "failed")


Kill = Callable[[ChildProcesses, Round, Callable[[], bool]], None]


def early(moments: random.Random) -> Kill:
    seconds = moments.uniform(0, 0.2)

    def kill(children: ChildProcesses, _round: Round, _has_pulled: Callable[[], bool]) -> None:
        time.sleep(seconds)
        children.kill()

    return kill


def after_requests(moments: random.Random) -> Kill:
    requests, seconds = moments.randrange(1, CALLS + 1), moments.uniform(0, 0.02)

    def kill(children: ChildProcesses, round_: Round, _has_pulled: Callable[[], bool]) -> None:
        until(lambda: len(round_.asked) >= requests or children.has_ended(), every_s=0.001)
        time.sleep(seconds)
        children.kill()

    return kill


def after_the_pull(moments: random.Random) -> Kill:
    """While it hands over, opens the database, stores, empties the spool; or a little too late."""
    seconds = moments.uniform(0, 0.3)

    def kill(children: ChildProcesses, _round: Round, has_pulled: Callable[[], bool]) -> None:
        until(lambda: has_pulled() or children.has_ended(), every_s=0.001)
        time.sleep(seconds)
        children.kill()

    return kill
