"""Cycle after cycle through trouble: `python -m benchmarks.soak [cycles] [scale]`; 600 cycles, at a twentieth.

A simulator with the `flaky` profile, an outage of 60 cycles, a storm of 429 in every 150th to 160th, and the process
that runs the cycles killed within every hundred, at a random moment. Cycles pull, spool and store as in production,
less Dagster; a minute is as short as `scale` makes it, and with it every delay, time-out and back-off.

What must hold is checked at the end, against the tables and the simulator's ledger, and the exit code says so.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import psutil

from benchmarks.tail import CALLS, shrunk
from lcw_assets.cycle.pull import Pulled, pull
from lcw_assets.cycle.store import store_pending
from lcw_assets.cycle.tuning import Recent, Switches, look_at_breaker, read_recent, tune
from lcw_assets.simulator.faults import Draw, Fault, down, flaky
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.lcw import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.exchange import Timeouts
from lcw_assets.transport.facts import Answer, Attempt
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.cycle import Cycle
from lcw_assets.warehouse.spool import Spool, SpoolWriter

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
DEADLINE_S = 45.0
KILL_EVERY = 100


class Trouble:
    """The profile of the cycle that runs."""

    def __init__(self, outage: range) -> None:
        self.cycle = 0
        self._outage = outage

    def __call__(self, draw: Draw) -> Fault:
        if self.cycle in self._outage:
            return down(draw)
        if self.cycle % 150 < 10 and draw.number % 2:
            return Fault("error", status=429, retry_after="1")
        return flaky(draw)


@dataclass
class Minutes:
    """A sink before the spool that writes times as they would be without the scale."""

    spool: SpoolWriter
    began: datetime
    scale: float

    def attempt(self, attempt: Attempt) -> None:
        since = (attempt.started_at - self.began).total_seconds() / self.scale
        started_at = self.minute + timedelta(seconds=since)
        self.spool.attempt(replace(attempt, started_at=started_at, latency_s=attempt.latency_s / self.scale))

    def answer(self, answer: Answer) -> None:
        self.spool.answer(answer)

    def refused(self, answer: Answer, reason: str) -> None:
        self.spool.refused(answer, reason)

    minute: datetime = NOON


def one(address: str, folder: Path, number: int, scale: float) -> float:
    """Run one cycle as at minute `number`. Gives the seconds of its pull, without the scale."""
    spool, database, now = Spool(folder / "spool"), folder / "soak.duckdb", NOON + timedelta(minutes=number)
    recent = Recent()
    if database.exists():
        with open_database(database, read_only=True) as db:
            recent = read_recent(db, "simulator", now)
    switches = Switches()
    tuning, breaker = shrunk(tune(recent, switches), scale), look_at_breaker(recent, switches, now)
    cycle = Cycle(f"{number:08}", "soak", now, now, now, 0.0, 0.0, False, "simulator", "USD")
    deadline = Deadline.after(DEADLINE_S * scale)
    with spool.open(cycle) as writer:
        if breaker.state == "open":
            pulled = Pulled.nothing(CALLS, str(breaker))
        else:
            client = Client(
                address,
                source="simulator",
                sink=Minutes(writer, datetime.now(timezone.utc), scale, now),
                tuning=tuning,
                timeouts=Timeouts(4 * scale, 10 * scale, 15 * scale),
                retry=RetryPolicy(first_s=0.5 * scale, longest_s=8 * scale),
            )
            pulled = pull(
                LiveCoinWatch(client, deadline=deadline, simulated=True),
                CALLS,
                deadline=deadline,
                in_flight=tuning.in_flight,
                log=lambda _line: None,
                probe=breaker.state == "half-open",
            )
            client.close()
        writer.end(replace(pulled.end(now), pull_s=pulled.seconds / scale, ended_at=now))
    store_pending(partial(open_database, database), spool, lambda _line: None, database=database)
    return pulled.seconds / scale


def work(address: str, folder: Path, first: int, last: int, scale: float) -> None:
    """Run cycles until the end or the kill, a line each: its number, its seconds, and what the process holds."""
    process = psutil.Process()
    for number in range(first, last):
        print(json.dumps({"begins": number}), flush=True)
        seconds = one(address, folder, number, scale)
        held = [process.memory_info().rss / 1e6, process.num_threads(), process.num_fds()]
        print(json.dumps({"ended": number, "seconds": seconds, "held": held}), flush=True)


def soak(cycles: int, scale: float, folder: Path) -> tuple[list[float], list[list[float]], int, Simulator]:
    trouble = Trouble(range(cycles // 3, cycles // 3 + 60))
    moments = random.Random(20261120)  # noqa: S311
    simulator = Simulator(profile=trouble, clock=lambda: NOON, credits_per_day=10**9, time_scale=scale)
    seconds: list[float] = []
    held: list[list[float]] = []
    kills = number = 0
    with simulator.serve() as address:
        while number < cycles:
            kill_in = number + moments.randrange(10, KILL_EVERY)
            command = [
                sys.executable,
                "-m",
                "benchmarks.soak",
                "--work",
                address,
                str(folder),
                str(number),
                str(cycles),
            ]
            with subprocess.Popen([*command, str(scale)], stdout=subprocess.PIPE, text=True) as worker:
                for line in worker.stdout or ():
                    said = json.loads(line)
                    if "begins" in said:
                        number = trouble.cycle = said["begins"]
                        if number == kill_in:
                            time.sleep(moments.uniform(0, 0.4))
                            worker.kill()
                            kills += 1
                    else:
                        seconds.append(said["seconds"])
                        held.append(said["held"])
                if worker.wait() not in (0, -9):
                    sys.exit(f"the worker ended with {worker.returncode}")
            number += 1
        one(address, folder, cycles, scale)  # what the last kill left is stored by the next cycle
    return seconds, held, kills, simulator


def check(folder: Path, simulator: Simulator, seconds: list[float], kills: int) -> list[str]:
    """What does not hold."""
    with open_database(folder / "soak.duckdb") as db:
        one_row = db.execute(
            "SELECT (SELECT count(*) FROM raw.pulls), "
            "(SELECT count(DISTINCT (cycle_id, endpoint, request)) FROM raw.pulls), "
            "(SELECT count(*) FROM ops.calls WHERE outcome = 'ok'), "
            "(SELECT count(*) FROM ops.calls WHERE outcome IN ('superseded', 'timeout')), "
            "(SELECT count(*) - count(DISTINCT cycle_id) FROM ops.cycles), "
            "(SELECT count(*) - count(DISTINCT (code, currency)) FROM market.coins)"
        ).fetchone()
    pulls, distinct, good, given_up, twice, coins_twice = one_row or (0,) * 6
    served = sum(entry.good for entry in simulator.ledger.entries)
    over = [each for each in seconds if each > DEADLINE_S + 1]
    return [
        *([f"{len(over)} cycles asked beyond their deadline, up to {max(over):.1f} s"] if over else []),
        *([f"{pulls - distinct} answers are stored twice"] if pulls != distinct else []),
        *([f"{pulls} answers are stored, and {good} calls say that they were answered"] if pulls != good else []),
        *([f"{good} calls say that they were answered, and the server answered {served}"] if good > served else []),
        # What was on its way when a process was killed reached nobody: at most the calls in flight, and their hedges.
        *([f"{served - good - given_up} answers are lost"] if served - good - given_up > 12 * kills else []),
        *([f"{twice} cycles or {coins_twice} coins are there twice"] if twice or coins_twice else []),
        *(["spooled work is left"] if Spool(folder / "spool").pending() else []),
    ]


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        _, _, address, folder, first, last, scale_ = sys.argv
        work(address, Path(folder), int(first), int(last), float(scale_))
        return
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 0.05
    with tempfile.TemporaryDirectory() as name:
        seconds, held, kills, simulator = soak(cycles, scale, Path(name))
        wrong = check(Path(name), simulator, seconds, kills)
    print(f"{len(seconds)} cycles ended, {kills} were killed, {len(simulator.ledger.entries)} requests were served")
    print(f"slowest pull {max(seconds):.1f} s of {DEADLINE_S:g}")
    for what, values in zip(("memory, MB", "threads", "open files"), zip(*held, strict=True), strict=True):
        print(f"{what:11} first {values[10]:.0f}, last {values[-1]:.0f}, most {max(values):.0f}")
    print("\n".join(wrong) if wrong else "no answer lost, none stored twice, no cycle beyond its deadline")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
