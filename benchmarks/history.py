"""Backfills: `python -m benchmarks.history [coins] [--as-of]`; 1,000 coins.

A year of daily points of one coin and of many, against a simulator on another processor that answers at once, without
a rate limit; how busy a rate limit is kept by calls that take a second; and a minute cycle alone and beside a backfill.
`--as-of` adds the whole market at a moment, at 100 million ticks (2 GB of disk for a while).
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.cycle import ours
from benchmarks.report import table
from lcw_assets.coordination.credit_budget import CreditBudget
from lcw_assets.coordination.rate_limit import Rate, RateLimit
from lcw_assets.defs.history.backfill import Backfill, Result
from lcw_assets.defs.history.plan import Plan, Span
from lcw_assets.defs.history.series import SERIES
from lcw_assets.defs.history.store import StoredPoints, store_batches
from lcw_assets.ingest.clock import DAY
from lcw_assets.ingest.load import Load
from lcw_assets.ingest.rotating import RotatingSpool
from lcw_assets.ingest.spool import Spool
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.tuning import Tuning
from lcw_assets.warehouse.connection import open_database

TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
YEAR = Span(TODAY - 365 * DAY, TODAY)
# As the settings have it by default, and `resources/live_coin_watch.py` makes of them.
RATE = Rate(per_s=5.0, burst=16, reserve=8)


class Run:
    """A backfill into `folder`, and the seconds that storing took of it."""

    def __init__(self, address: str, folder: Path, coins: list[str], wanted: Span, series: str = "coin_daily") -> None:
        self.store_s = 0.0
        self.folder = folder
        self._address = address
        self.plan = Plan(SERIES[series], wanted, TODAY, dict.fromkeys(coins, ()))

    def __call__(self, in_flight: int = 8, rate: RateLimit | None = None) -> Result:
        now = datetime.now(timezone.utc)
        first = Load.begun(f"{now:%Y%m%dT%H%M%S.%f}", "backfill", now, run_id="run", source="simulator", currency="USD")
        series = self.plan.series
        spool = RotatingSpool(Spool(self.folder / "history"), first, series.endpoint, {"series": series.name})
        client = Client(
            self._address,
            source="simulator",
            sink=spool,
            tuning=Tuning(in_flight=in_flight),
            rate_limit=rate,
        )
        api = LiveCoinWatch(client, deadline=Deadline.after(float("inf")), simulated=True)
        result = Backfill(
            self.plan,
            api,
            spool,
            CreditBudget(self.folder / "credits", 0, now),
            store=self._store,
            in_flight=in_flight,
            log=print,
            report=lambda _: None,
        ).run()
        if result.status != "done":
            sys.exit(f"the backfill is {result.status}: {result.why}")
        return result

    def _store(self) -> StoredPoints:
        started = time.perf_counter()
        stored = store_batches(
            partial(open_database, self.folder / "demo.duckdb"), Spool(self.folder / "history"), print
        )
        self.store_s += time.perf_counter() - started
        return stored


@contextmanager
def simulator(*options: str) -> Iterator[str]:
    """In a process of its own: on another processor, as a server is."""
    command = [sys.executable, "-m", "lcw_assets.simulator", "--port", "0", "--credits", "1000000000", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        said = server.stdout.readline() if server.stdout else ""
        yield said.split(" at ")[1].split(" ")[0]
        server.terminate()


def years(coins: int) -> None:
    from lcw_assets.simulator.market import Market

    codes = [Market().listing(slot, int(TODAY.timestamp()) // 60).code for slot in range(coins)]
    for number in (1, coins):
        with tempfile.TemporaryDirectory() as name, simulator() as address:
            run = Run(address, Path(name), codes[:number], YEAR)
            result = run()
        points, seconds = result.progress.stored.points, result.progress.seconds
        per_s = points / run.store_s
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        calls = result.progress.calls
        print(
            f"{number:,} coin-years of daily points: {calls:,} calls, {points:,} points in {seconds:.1f} s "
            f"({calls / seconds:.0f} calls/s), most memory {memory:.0f} MB"
        )
        print(
            f"  stored {per_s:,.0f} points a second: {per_s / (RATE.per_s * points / calls):.0f} times "
            f"what {RATE.per_s:g} calls a second bring"
        )
    print("  budget: 1,000 coin-years under 60 s, under 400 MB, storing 20 times as fast as the rate\n")


def busy(seconds: float = 60.0) -> None:
    """Five calls a second, eight at once, under the latencies of each profile: how much of the rate is used."""
    for profile in ("september", "slow"):
        with tempfile.TemporaryDirectory() as name, simulator("--profile", profile) as address:
            window = SERIES["coin_5min"].window
            run = Run(
                address, Path(name), ["BTC"], Span(TODAY - int(RATE.per_s * seconds) * window, TODAY), "coin_5min"
            )
            run(rate=RateLimit(Path(name) / "limit", RATE, first=False))
            with open_database(Path(name) / "demo.duckdb") as db:
                # From its first second, when the burst is spent, to the last request, not to the last straggler.
                [(calls, took, latency)] = db.execute(
                    "SELECT count(*), epoch(max(started_at) - min(started_at)), avg(latency_s) "
                    "FROM ops.calls WHERE started_at > (SELECT min(started_at) + INTERVAL 2 SECOND FROM ops.calls)"
                ).fetchall()
        share = (calls - 1) / (RATE.per_s * took)
        print(f"the rate limit with calls of {latency:.1f} s in the mean ({profile}): {100 * share:.1f} % used")
    print("  budget: 95 %\n")


def beside(cycles: int = 12) -> None:
    """A minute cycle, alone and beside a backfill that never ends. Both keep to one rate limit, as the product's do.

    Before each cycle there is the pause that a minute leaves it: for as long as the bucket takes to be full again.
    """
    alone: list[tuple[float, float]] = []
    together: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name, simulator() as address:
        folder = Path(name)
        cycle = RateLimit(folder / "limit", RATE)
        for number in range(cycles):
            time.sleep(RATE.burst / RATE.per_s + 0.1)
            alone.append(ours(address, folder, number, cycle))
        command = [sys.executable, "-m", "benchmarks.history", "--backfill", address, name]
        with subprocess.Popen(command) as running:
            for number in range(100, 100 + cycles):
                time.sleep(RATE.burst / RATE.per_s + 0.1)
                together.append(ours(address, folder, number, cycle))
            if running.poll() is not None:
                sys.exit("the backfill was over before the cycles were")
            running.kill()
    rows = {
        f"{what}, {where}": [seconds[part] for seconds in took]
        for part, what in enumerate(("pull", "store"))
        for where, took in (("alone", alone), ("beside a backfill", together))
    }
    print(table("a cycle of 14 calls beside a backfill, 5 calls a second between them", rows))


def endless(address: str, folder: Path) -> None:
    """More than anybody waits for."""
    limit = RateLimit(folder / "limit", RATE, first=False)
    Run(address, folder, ["BTC"], Span(TODAY - 3000 * DAY, TODAY), "coin_5min")(rate=limit)


def as_of(rows: int = 100_000_000) -> None:
    """1,000 coins a minute, each of which changes; the checkpoints as the pipeline makes them."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "ticks.duckdb"
        with open_database(file) as db:
            db.execute(
                "INSERT INTO market.coin_ticks (code, currency, observed_at, cycle_id, rank, rate, volume, cap) "
                "SELECT 'C' || (i % 1000), 'USD', TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes((i // 1000)::INT), "
                "'cycle', i % 1000, random(), random(), random() FROM range(?) AS made(i)",
                [rows],
            )
            db.execute(
                "INSERT INTO market.coin_checkpoints BY NAME "
                "SELECT observed_at AS checkpoint_at, * FROM market.coin_ticks WHERE epoch(observed_at) % 21600 = 0"
            )
        moments = [datetime(2026, 1, 2, 5, 59, tzinfo=timezone.utc) + timedelta(hours=37.3 * n) for n in range(15)]
        seconds = []
        with duckdb.connect(str(file), read_only=True) as db:
            db.execute("SET TimeZone = 'UTC'")
            for moment in moments:
                started = time.perf_counter()
                found = db.execute("SELECT * FROM market.as_of(?::TIMESTAMPTZ)", [moment]).fetchall()
                seconds.append(time.perf_counter() - started)
                if len(found) != 1000:
                    sys.exit(f"{len(found)} coins at {moment}")
    print(table(f"the whole market at a moment, of {rows:,} ticks", {"market.as_of": seconds}, budget="under 0.2 s"))


def main() -> None:
    if sys.argv[1:2] == ["--backfill"]:
        endless(sys.argv[2], Path(sys.argv[3]))
        return
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdecimal()]
    years(numbers[0] if numbers else 1000)
    busy()
    beside()
    if "--as-of" in sys.argv:
        as_of()


if __name__ == "__main__":
    main()
