"""The server that benchmarks ask: the simulator in a process of its own, with every response worked out beforehand.

So it answers at once, and its coins still move from one cycle to the next: `next_minute` is what moves them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import requests

from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.simulator.server import Simulator

START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


@dataclass
class Market:
    """The running server."""

    address: str
    process: subprocess.Popen[str]

    def next_minute(self) -> None:
        send_line(self.process, "next")


def send_line(process: subprocess.Popen[str], line: str) -> str:
    """Send the server a line; gives the line that it answers."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the server's standard input and output are not piped")
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@contextmanager
def market(minutes: int, coins: int = 1000) -> Iterator[Market]:
    """Serve `minutes` of the simulated market, for cycles of `coins`; each takes a fifth of a second to work out."""
    command = [sys.executable, "-m", "benchmarks.market"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        address = send_line(process, f"{minutes} {coins}")
        yield Market(address, process)
        process.communicate()  # closes its standard input, which ends it


def main() -> None:
    minutes, coins = map(int, sys.stdin.readline().split())
    now = START
    simulator = Simulator(clock=lambda: now, credits_per_day=10**9)
    calls = [
        call for meta in (True, False) for call in plan_cycle(coins=coins, exchanges=100, currency="USD", meta=meta)
    ]
    with simulator.serve() as address, requests.Session() as session:
        for minute in range(minutes, -1, -1):  # latest first: what is worked out is kept for later minutes only
            now = START + timedelta(minutes=minute)
            for call in calls:
                session.post(f"{address}/{call.endpoint}", json=call.request, timeout=60)
        print(address, flush=True)
        for _ in sys.stdin:
            now += timedelta(minutes=1)
            print(now, flush=True)


if __name__ == "__main__":
    main()
