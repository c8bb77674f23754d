"""The store step on histories of 0, 1, 10 and (with `--largest`) 100 million ticks: it must not grow with them.

`python -m benchmarks.store [--largest] [cycles]`. 100 million take 6 GB of disk and a minute or two to make.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.cycle import CALLS
from benchmarks.loads import cycles as cycles_of
from benchmarks.market import market
from benchmarks.report import table
from lcw_assets.ingest.fetch import fetch_all
from lcw_assets.ingest.load import Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.warehouse.connection import compact, open_database
from lcw_assets.warehouse.schema import tables


def fill(database: Path, ticks: int) -> None:
    """A history as cycles would have left it: 700 changes a minute."""
    values = {"code": "'C' || (n % 700)", "currency": "'USD'", "cycle_id": "'old' || (n // 700)"}
    values["observed_at"] = "TIMESTAMPTZ '2016-01-01 00:00:00+00' + INTERVAL (n // 700) MINUTE"
    columns = [f"{values.get(column.name, 'random()')} AS {column.name}" for column in tables()["market.coin_ticks"]]
    columns = [column.replace("random() AS rank", "n % 1000 AS rank") for column in columns]
    with open_database(database) as db:
        db.execute(
            f"INSERT INTO market.coin_ticks BY NAME SELECT {', '.join(columns)} FROM range({ticks}) AS r(n)"  # noqa: S608
        )
        compact(db)


def spool_cycles(spool: Spool, cycles: int) -> None:
    """Fetch as many cycles as are to be stored, and leave them all in the spool."""
    with market(cycles) as server:
        for number in range(cycles):
            now = datetime.now(timezone.utc)
            cycle = Load.begun(f"{number:06}", "fetch_cycle", now, run_id="run", source="simulator", currency="USD")
            deadline = Deadline.after(45)
            with spool.open(cycle) as sink:
                client = Client(server.address, source="simulator", sink=sink)
                api = LiveCoinWatch(client, deadline=deadline, simulated=True)
                fetched = fetch_all(
                    api, CALLS, deadline=deadline, in_flight=4, log=lambda _line: None, received=lambda *_: 1
                )
                sink.end(fetched.end(now))
                client.close()
            server.next_minute()


def store_one(folder: Path, database: Path, file: Path) -> float:
    """Seconds to store one spooled cycle: open, merge, commit, close."""
    runner = cycles_of(folder, database)
    runner.spool.folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, runner.spool.folder)
    started = time.perf_counter()
    runner.store()
    return time.perf_counter() - started


def main() -> None:
    cycles = int(next((argument for argument in sys.argv[1:] if argument.isdecimal()), 20))
    sizes = [0, 1_000_000, 10_000_000, *([100_000_000] if "--largest" in sys.argv else [])]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        spool = Spool(folder / "all")
        spool_cycles(spool, cycles + 1)
        databases = {size: folder / f"{size}.duckdb" for size in sizes}
        for size, database in databases.items():
            fill(database, size)
        seconds: dict[str, list[float]] = {f"{size:>11,} ticks": [] for size in sizes}
        for number, file in enumerate(spool.pending()):
            for database, row in zip(databases.values(), seconds.values(), strict=True):
                took = store_one(folder, database, file)
                if number:  # the first brings a thousand new coins
                    row.append(took)
    budget = "under 0.050 s, and the largest at most 1.3 times the empty one"
    print(table("store step, 1,000 coins, by length of history", seconds, budget=budget))


if __name__ == "__main__":
    main()
