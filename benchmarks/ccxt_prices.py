"""A round of prices by this project's sources, beside ccxt's `fetch_tickers`: seven exchanges, six coins and USDT.

`pip install -e '.[bench]' && python -m benchmarks.ccxt_prices [runs]`. Where ccxt should not be installed beside the
project, a third argument is a Python that has it. Each run is a process of its own, one of each in turn, against one
simulator that responds at once; processes of one round are what a minute's run is, and those of six show warm rounds.

In favour of ccxt: its markets are set beforehand (loading them is 2 requests more at Kraken, 12 at Bybit), its rate
limits are off, and Coinbase's prices are candles of an hour, the only ones that it gets in one call. It keeps no facts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.price_server import PriceServer, price_server
from benchmarks.report import table

_ROOT = Path(__file__).parents[1]
_INSTALL = (
    "ccxt is not there: run `pip install -e '.[bench]'`, or name a Python that has it: "
    "python -m benchmarks.ccxt_prices 7 /path/to/python"
)
_WARM = 6
_PRICES = 46  # six coins of seven exchanges, and USDT of the four that trade it for USD


@dataclass(frozen=True)
class Run:
    """A process: seconds from its start to its end, of the processor, and of each round; MB at its peak; requests."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    imported_s: float
    rounds_s: list[float]
    calls: dict[str, int]


def run(server: PriceServer, python: str, module: str, rounds: int) -> Run:
    """Raises `RuntimeError` if a price is missing, or the process failed."""
    server.calls()
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        [python, "-m", module, server.address, str(rounds)], env=environment, stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise RuntimeError("its output is not piped")
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{module} failed with {process.returncode}")
    found = json.loads(printed)
    if found["prices"] != _PRICES:
        raise RuntimeError(f"{module} found {found['prices']} prices: expected {_PRICES}")
    bytes_each = 1 if sys.platform == "darwin" else 1024
    peak_mb = usage.ru_maxrss * bytes_each / 1e6
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(wall_s, cpu_s, peak_mb, found["imported_s"], found["rounds_s"], server.calls())


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    other = sys.argv[2] if len(sys.argv) > 2 else sys.executable
    if subprocess.run([other, "-c", "import ccxt"], check=False, stderr=subprocess.DEVNULL).returncode:
        sys.exit(_INSTALL)
    sides = {"ours": (sys.executable, "benchmarks.price_round"), "ccxt": (other, "benchmarks.ccxt_round")}
    once: dict[str, list[Run]] = {name: [] for name in sides}
    warm: dict[str, list[Run]] = {name: [] for name in sides}
    with price_server() as server:
        for side in sides.values():  # the server makes its responses, and Python compiles
            run(server, *side, 1)
        for _ in range(runs):
            for name, side in sides.items():
                once[name].append(run(server, *side, 1))
                warm[name].append(run(server, *side, _WARM))
    print(table("a process with one round: seconds", {name: [one.wall_s for one in once[name]] for name in sides}))
    print(table("its CPU time", {name: [one.cpu_s for one in once[name]] for name in sides}))
    print(table("its peak memory", {name: [one.peak_mb for one in once[name]] for name in sides}, unit="MB"))
    print(table("of it: imports", {name: [one.imported_s for one in once[name]] for name in sides}))
    print(table("of it: the round", {name: [one.rounds_s[0] for one in once[name]] for name in sides}))
    rounds = {name: [took for one in warm[name] for took in one.rounds_s[1:]] for name in sides}
    print(table("a warm round", rounds, budget="a round with its store: under 0.15 s"))
    for name in sides:
        calls = once[name][0].calls
        print(f"requests of a round, {name}: {sum(calls.values())} ({', '.join(map(str, calls.values()))})")


if __name__ == "__main__":
    main()
