"""The token registry: whole syncs of 100 to 50,000 contracts, beside two ways of writing them into SQLite.

`python -m benchmarks.registry [rounds] [sizes...]`, and `python -m benchmarks.registry queries` for what people ask of
ten million events.

All three methods ask the same server for the same minute, in turn, each in a process of its own: ours spools, keeps the
response, validates, compares, writes, checks and keeps its facts; the others keep the response, validate, compare and
upsert row by row, with a commit a row ("before") or a hundred ("after"). The first response, in which every contract is
new, is left out of the medians.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median

import requests

from benchmarks.market import send_line
from lcw_assets.simulator.server import Simulator

START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
SIZES = (100, 500, 1_000, 5_000, 50_000)
BUDGETS = {100: 0.05, 500: 0.06, 1_000: 0.08, 5_000: 0.25}
METHODS = ("ours", "rows", "batches")
# A commit a row takes minutes for so many.
_MOST_ROWS = 5_000


def serve(contracts: int, minutes: int) -> None:
    """The simulator, with every response worked out beforehand; a line on standard input moves it on by a minute."""
    now = START
    simulator = Simulator(contracts=contracts, clock=lambda: now, kucoin_limit=10**9)
    with simulator.serve() as address:
        for minute in range(minutes, -1, -1):  # latest first: what is worked out is kept for later minutes only
            now = START + timedelta(minutes=minute)
            requests.get(f"{address}/api/v1/contracts/active", timeout=120)
        print(address, flush=True)
        for _ in sys.stdin:
            now += timedelta(minutes=1)
            print("ok", flush=True)


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.communicate()  # closes its standard input, which ends it


def measure(contracts: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """What each method says of each round: seconds, and MB at its peak so far."""
    said: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, started("benchmarks.registry", "serve", contracts, rounds) as server:
        address = server.stdout.readline().strip() if server.stdout else ""
        methods = [name for name in METHODS if name != "rows" or contracts <= _MOST_ROWS]
        for number in range(rounds + 1):
            for name in methods:
                said.setdefault(name, [])
            if number == 0:
                workers = {
                    name: subprocess.Popen(
                        [sys.executable, "-m", "benchmarks.registry_methods", name, address, str(Path(folder) / name)],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                    for name in methods
                }
            for name, worker in workers.items():
                said[name].append(json.loads(send_line(worker, "sync")))
            send_line(server, "next")
        for worker in workers.values():
            worker.communicate()
    return said


def show(contracts: int, said: dict[str, list[dict[str, float]]]) -> float:
    """Print a size; gives our median."""
    steady = {name: [one["seconds"] for one in rounds[1:]] for name, rounds in said.items()}
    ours = median(steady["ours"])
    for name, seconds in steady.items():
        budget = f"  budget {BUDGETS[contracts]:.2f}" if name == "ours" and contracts in BUDGETS else ""
        print(
            f"{contracts:>7,}  {name:8} {median(seconds):8.3f} {min(seconds):8.3f} {max(seconds):8.3f}"
            f"  {said[name][0]['seconds']:8.3f}  {median(seconds) / ours:7.1f}  {said[name][-1]['memory']:6.0f}{budget}"
        )
    phases = {name: median(one[name] for one in said["ours"][1:]) for name in said["ours"][-1] if name.endswith("_s")}
    print(
        "         " + ", ".join(f"{name[:-2]} {1000 * value:.0f}" for name, value in phases.items()) + " ms", flush=True
    )
    return ours


def main() -> None:
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()]
    if sys.argv[1:2] == ["serve"]:
        serve(*numbers)
        return
    if sys.argv[1:2] == ["queries"]:
        from benchmarks.registry_queries import queries

        queries()
        return
    rounds, sizes = (numbers[0] if numbers else 7), numbers[1:] or SIZES
    print("contracts  method   median    least     most     first  / ours      MB   (seconds; peak of the process)")
    medians = {size: show(size, measure(size, rounds)) for size in sizes}
    if {5_000, 50_000} <= set(medians):
        print(f"50,000 take {medians[50_000] / medians[5_000]:.1f} times as long as 5,000 (linear is 10)")


if __name__ == "__main__":
    main()
