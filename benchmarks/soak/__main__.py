"""`python -m benchmarks.soak`: see the package."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.soak import verdict
from benchmarks.soak.daemon import Daemon
from benchmarks.soak.plan import DEADLINE_S, KILL_EVERY, Trouble, minute, outage, write_sla
from benchmarks.soak.worker import run_cycle
from lcw_assets.defs.monitoring.sla import load_sla
from lcw_assets.simulator.server import Simulator


@dataclass
class Soaked:
    """What the parent process saw. `died` has when each cycle was killed, `held` what each worker held."""

    simulator: Simulator
    daemon: Daemon
    pulls_s: list[float] = field(default_factory=list)
    held: list[list[list[float]]] = field(default_factory=list)
    died: dict[int, datetime] = field(default_factory=dict)
    kills: int = 0


def soak(cycles: int, scale: float, folder: Path) -> Soaked:
    trouble = Trouble(outage(cycles), scale)
    moments = random.Random(20261120)  # noqa: S311
    simulator = Simulator(
        profile=trouble, clock=trouble.now, credits_per_day=10**9, time_scale=scale, ledger_file=folder / "ledger.jsonl"
    )
    write_sla(folder / "sla.toml")
    soaked = Soaked(simulator, Daemon(load_sla(folder / "sla.toml")))
    began = time.monotonic()
    number = 0
    with simulator.serve() as address:
        while number < cycles:
            command = [sys.executable, "-m", "benchmarks.soak.worker", address, str(folder), str(number), str(cycles)]
            number = _run(
                soaked, trouble, [*command, str(scale)], number + moments.randrange(10, KILL_EVERY), moments, scale
            )
            print(f"{number} cycles in {time.monotonic() - began:.0f} s", flush=True)
        trouble.cycle = cycles
        # What the last kill left is stored by the next cycle.
        soaked.daemon.ended(run_cycle(address, folder, cycles, scale))
        soaked.daemon.evaluate(cycles)
    return soaked


def _run(
    soaked: Soaked, trouble: Trouble, command: list[str], kill_in: int, moments: random.Random, scale: float
) -> int:
    """Run a worker until it ends or is killed in cycle `kill_in`. Gives the number of the next cycle."""
    held: list[list[float]] = []
    soaked.held.append(held)
    number, running = kill_in, False
    at = minute(number)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as worker:
        for line in worker.stdout or ():
            said = json.loads(line)
            running = "begins" in said
            if running:
                number = trouble.cycle = said["begins"]
                at = minute(number)
                print(file=worker.stdin)
                if number == kill_in:
                    wait_s = moments.uniform(0, 0.4)
                    time.sleep(wait_s)
                    worker.kill()
                    soaked.kills += 1
                    at += timedelta(seconds=wait_s / scale)
            else:
                soaked.pulls_s.append(said["pull_s"])
                held += [said["held"]] if "held" in said else []
                soaked.daemon.ended(said)
                soaked.daemon.evaluate(number)
        if worker.wait() not in (0, -9):
            sys.exit(f"the worker ended with {worker.returncode}")
    if running:
        soaked.died[number] = at
        soaked.daemon.died(number, at)
        soaked.daemon.evaluate(number)
    return number + 1


def main() -> None:
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 0.05
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[3] if len(sys.argv) > 3 else name)
        folder.mkdir(parents=True, exist_ok=True)
        soaked = soak(cycles, scale, folder)
        (folder / "alerts.jsonl").write_text("".join(alert.model_dump_json() + "\n" for alert in soaked.daemon.alerts))
        (folder / "died.json").write_text(json.dumps({number: at.isoformat() for number, at in soaked.died.items()}))
        size_mb = (folder / "demo.duckdb").stat().st_size / 1e6
        wrong = verdict.data(folder, soaked.simulator, soaked.pulls_s, soaked.died, cycles)
        wrong += verdict.alerts(soaked.daemon.alerts, folder, soaked.died, cycles)
    requests = len(soaked.simulator.ledger.entries)
    print(f"{len(soaked.pulls_s)} cycles ended, {len(soaked.died)} of {soaked.kills} kills ended one on its way")
    print(f"{requests} requests were served, {size_mb:.0f} MB are stored")
    print(f"slowest pull {max(soaked.pulls_s):.1f} s of {DEADLINE_S:g}")
    wrong += verdict.flat(soaked.held)
    print(
        "\n".join(wrong)
        if wrong
        else "no response lost, none stored twice, no cycle beyond its deadline, all alerts due"
    )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
