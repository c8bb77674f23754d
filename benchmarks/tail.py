"""The tail under the latencies that the original fetcher met: its method and ours, and ours with each part off.

`python -m benchmarks.tail [cycles] [scale]`: 600 cycles with every second shrunk to a tenth take four minutes; 4235 for
all that it met. Every variant asks a simulator of its own, with the same profile and seed, over real sockets. What a
server's delays are divided by, so are the client's time-outs, back-offs and hedge delays; the facts that it adapts to
are in real seconds. The original's method is run in virtual time, on the same draws.

Seconds are those of the fetch: queueing, start and store come on top, and are what `benchmarks.process` measures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from statistics import fmean, median, quantiles
from time import perf_counter
from typing import Any

import duckdb

from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.ingest.fetch import fetch_all
from lcw_assets.ingest.tuning import Switches, read_breaker, read_recent, tune
from lcw_assets.simulator.faults import Draw, Fault, september_2025
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Attempt, Response
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tuning import Pace, Tuning
from lcw_assets.warehouse.schema import migrate
from lcw_assets.warehouse.tables import append

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
CALLS = plan_cycle(coins=1000, exchanges=100, currency="USD", meta=False)
VARIANTS = {
    "ours": Switches(),
    "  without hedging": Switches(hedging=False),
    "  without adaptive time-outs": Switches(adaptive_timeouts=False),
    "  without adaptive concurrency": Switches(adaptive_concurrency=False),
    "  without any of them": Switches(hedging=False, adaptive_timeouts=False, adaptive_concurrency=False),
}


def original(cycles: int) -> list[float]:
    """One call after another, one a second at most; 30 s to read, repeats after 2, 4, 8 s, 60 s after a 429."""
    turns: dict[int, int] = {}

    def meet(call: int) -> Fault:
        turns[call] = turns.get(call, 0) + 1
        return september_2025(Draw(1, CALLS[call].endpoint, json.dumps(CALLS[call].request), 0, turns[call]))

    took = []
    for _ in range(cycles):
        now = 0.0
        for call in range(len(CALLS)):
            began = now
            for wait in (2.0, 4.0, 8.0, None):
                fault = meet(call)
                while fault.status == 429:
                    now += fault.delay_s + 60.0
                    fault = meet(call)
                now += min(fault.delay_s, 30.0)
                if (fault.status == 200 and fault.delay_s < 30.0) or wait is None:
                    break
                now += wait
            now = max(now, began + 1.0) if call < len(CALLS) - 1 else now
        took.append(now)
    return took


class Facts:
    """A sink that keeps a cycle's facts, in real seconds."""

    def __init__(self, cycle_id: str, at: datetime, scale: float) -> None:
        self.rows: list[dict[str, Any]] = []
        self._cycle_id, self._at, self._scale = cycle_id, at, scale

    def attempt(self, attempt: Attempt) -> None:
        latency_s = attempt.latency_s / self._scale
        times = {"started_at": self._at.isoformat(), "latency_s": latency_s, "cycle_id": self._cycle_id}
        self.rows.append({**attempt.to_row(), **times})

    def response(self, response: Response) -> None: ...

    def refused(self, response: Response, reason: str) -> None: ...


def shrunk(tuning: Tuning, scale: float) -> Tuning:
    def pace(of: Pace) -> Pace:
        return Pace(None if of.hedge_after_s is None else of.hedge_after_s * scale, of.attempt_s * scale)

    paces = {endpoint: pace(of) for endpoint, of in tuning.paces.items()}
    return Tuning(tuning.in_flight, tuning.hedges, pace(tuning.pace), paces)


def ours(switches: Switches, cycles: int, scale: float) -> tuple[list[float], int, int, int]:
    """Seconds of each fetch; requests, second requests, and calls that brought nothing."""
    took, requests, hedges, missing = [], 0, 0, 0
    # A server that is unwell for a whole cycle is not what this measures.
    with (
        Simulator(profile="september", clock=lambda: NOON, credits_per_day=10**9, time_scale=scale).serve() as address,
        duckdb.connect() as db,
    ):
        migrate(db)
        for number in range(cycles):
            now = NOON + timedelta(minutes=number)
            recent = read_recent(db, "simulator", now)
            if read_breaker(recent, switches, now).state != "closed":
                sys.exit("three cycles in a row had no response")
            tuning = shrunk(tune(recent, switches), scale)
            facts = Facts(f"{number:08}", now, scale)
            deadline = Deadline.after(45 * scale)
            client = Client(
                address,
                source="simulator",
                sink=facts,
                tuning=tuning,
                timeouts=Timeouts(4 * scale, 10 * scale, 15 * scale),
                retry=RetryPolicy(first_s=0.5 * scale, longest_s=8 * scale),
            )
            started = perf_counter()
            fetched = fetch_all(
                LiveCoinWatch(client, deadline=deadline, simulated=True),
                CALLS,
                deadline=deadline,
                in_flight=tuning.in_flight,
                log=lambda _line: None,
                received=lambda *_: 1,
            )
            took.append((perf_counter() - started) / scale)
            client.close()
            append(db, "ops.calls", facts.rows)
            requests += len(facts.rows)
            hedges += sum(row["hedge"] for row in facts.rows)
            missing += len(fetched.missing)
    return took, requests, hedges, missing


def line(name: str, took: Sequence[float], extra: str = "") -> str:
    cuts = quantiles(took, n=100, method="inclusive")
    bands = [(0, 20), (20, 30), (30, 60), (60, float("inf"))]
    shares = [sum(low < seconds <= high for seconds in took) / len(took) for low, high in bands]
    return (
        f"  {name:31} {fmean(took):6.2f} {median(took):6.2f} {min(took):6.2f} {cuts[94]:6.2f} {cuts[98]:6.2f} "
        f"{max(took):7.2f}  " + " ".join(f"{100 * share:5.1f}" for share in shares) + f"  {extra}"
    )


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        name, cycles, scale = sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
        print(json.dumps(ours(VARIANTS[name], cycles, scale)))
        return
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
    print(f"{cycles} cycles under the september latencies, seconds of the fetch, at {scale:g} of their length")
    heads = " ".join(f"{head:>6}" for head in ("mean", "median", "min", "p95", "p99"))
    print(f"  {'':31} {heads} {'max':>7}   <=20   -30   -60   >60  % of cycles")
    print(line("the original's method", original(cycles)))
    for name in VARIANTS:
        command = [sys.executable, "-m", "benchmarks.tail", "--one", name, str(cycles), str(scale)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        took, requests, hedges, missing = json.loads(said)
        print(line(name, took, f"{100 * hedges / (requests - hedges):.1f} % extra calls, {missing} calls missing"))
    print("  budget: mean under 4, p99 under 8, none over 20; at most 5 % extra calls")


if __name__ == "__main__":
    main()
