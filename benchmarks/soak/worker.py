"""Cycles in a process of their own, which may die at any moment: what the soak is about."""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil

from benchmarks.loads import cycles
from benchmarks.soak.plan import DEADLINE_S, HELD_EVERY, minute
from benchmarks.tail import CALLS, shrunk
from lcw_assets.defs.monitoring.checks import sla_results
from lcw_assets.defs.monitoring.sla import load_sla
from lcw_assets.defs.monitoring.sla_state import read_sla_state
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.fetch import Fetched, fetch_all
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool_writer import SpoolWriter
from lcw_assets.ingest.tuning import Recent, Switches, read_breaker, read_recent, tune
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Attempt, Response
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.warehouse.connection import open_database


@dataclass
class Clock:
    """The time of one cycle: its tick, and as many seconds after it as there would have been without the scale."""

    tick: datetime
    scale: float
    _began: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def at(self, moment: datetime) -> datetime:
        return self.tick + (moment - self._began) / self.scale

    def now(self) -> datetime:
        return self.at(datetime.now(timezone.utc))

    def seconds(self) -> float:
        return time.perf_counter() / self.scale


@dataclass
class Minutes:
    """A sink before the spool that writes times as they would be without the scale."""

    spool: SpoolWriter
    clock: Clock

    def attempt(self, attempt: Attempt) -> None:
        times: dict[str, Any] = {
            "started_at": self.clock.at(attempt.started_at),
            "latency_s": attempt.latency_s / self.clock.scale,
            "waited_s": attempt.waited_s / self.clock.scale,
        }
        self.spool.attempt(replace(attempt, **times))

    def response(self, response: Response) -> None:
        self.spool.response(response)

    def refused(self, response: Response, reason: str) -> None:
        self.spool.refused(response, reason)


def run_cycle(address: str, folder: Path, number: int, scale: float) -> dict[str, Any]:
    """Run one cycle as at minute `number`, and say how its run ended and what its checks said, as a step does."""
    clock = Clock(minute(number), scale)
    runner = cycles(folder)
    database = runner.settings.database
    recent = Recent()
    if database.exists():
        with open_database(database, read_only=True) as db:
            recent = read_recent(db, "simulator", clock.now())
    switches, now = Switches(), clock.now()
    tuning, breaker = shrunk(tune(recent, switches), scale), read_breaker(recent, switches, now)
    start_s = (now - clock.tick).total_seconds()
    cycle = Load(
        f"{number:08}", "fetch_cycle", "soak", clock.tick, clock.tick, now, 0.0, start_s, False, "simulator", "USD"
    )
    deadline = Deadline.after(DEADLINE_S * scale)
    with runner.spool.open(cycle) as writer:
        if breaker.state == "open":
            fetched = Fetched.nothing(CALLS, "breaker_open", str(breaker))
        else:
            client = Client(
                address,
                source="simulator",
                sink=Minutes(writer, clock),
                tuning=tuning,
                timeouts=Timeouts(4 * scale, 10 * scale, 15 * scale),
                retry=RetryPolicy(first_s=0.5 * scale, longest_s=8 * scale),
            )
            fetched = fetch_all(
                LiveCoinWatch(client, deadline=deadline, simulated=True),
                CALLS,
                deadline=deadline,
                in_flight=tuning.in_flight,
                log=runner.log.info,
                received=runner.hooks.received,
                probe=breaker.state == "half-open",
            )
            client.close()
        ended_at = clock.now()
        writer.end(FetchEnd(ended_at, (ended_at - now).total_seconds(), fetched.missing))
    # As in the step: a cycle that got nothing is stored and checked as well.
    sla = load_sla(folder / "sla.toml")
    stored = runner.store(
        read_extra=lambda db, row: read_sla_state(db, row, sla), clock=StoreClock(clock.now, clock.seconds)
    )
    return {
        "ended": number,
        "at": stored.loads[-1].row["committed_at"].isoformat(),
        "pull_s": fetched.seconds / scale,
        "failed": f"nothing was answered: {fetched.reason}" if runner.hooks.failed(fetched) else None,
        "checks": [
            [result.check_name, result.passed, result.severity.name, result.description]
            for result in sla_results(stored.extra, sla)
        ],
    }


def main() -> None:
    """Run cycles until the end or the kill, two lines each: that it begins, and how it ended.

    With every fifth, also what the process holds then: MB of memory, threads, open files.
    """
    address, folder, first, last, scale = sys.argv[1:]
    process = psutil.Process()
    for number in range(int(first), int(last)):
        print(json.dumps({"begins": number}), flush=True)
        sys.stdin.readline()  # the simulator is in that minute now
        ended = run_cycle(address, Path(folder), number, float(scale))
        if number % HELD_EVERY == 0:
            gc.collect()  # what waits to be collected, sockets among it, is not held
            ended["held"] = [process.memory_info().rss / 1e6, process.num_threads(), process.num_fds()]
        print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    main()
