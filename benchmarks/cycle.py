"""A cycle's work without Dagster: 14 calls and 1,000 coins, fetched and stored, in this process.

`python -m benchmarks.cycle [cycles]`. Beside it, in turn with it, what a plain script does with the same calls: one
after the other with requests, and into DuckDB a row at a time with executemany.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import requests

from benchmarks.loads import cycles as cycles_of
from benchmarks.market import market
from benchmarks.report import table
from lcw_assets.coordination.rate_limit import RateLimit
from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.ingest.fetch import fetch_all
from lcw_assets.ingest.load import Load
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline

CALLS = plan_cycle(coins=1000, exchanges=100, currency="USD", meta=False)


def ours(address: str, folder: Path, number: int, rate_limit: RateLimit | None = None) -> tuple[float, float]:
    """Seconds to fetch and to store."""
    runner = cycles_of(folder)
    now = datetime.now(timezone.utc)
    cycle = Load.begun(f"{number:06}", "fetch_cycle", now, run_id="run", source="simulator", currency="USD")
    started = time.perf_counter()
    deadline = Deadline.after(45)
    with runner.spool.open(cycle) as sink:
        client = Client(address, source="simulator", sink=sink, rate_limit=rate_limit)
        api = LiveCoinWatch(client, deadline=deadline, simulated=True)
        fetched = fetch_all(
            api, CALLS, deadline=deadline, in_flight=4, log=runner.log.info, received=runner.hooks.received
        )
        end = fetched.end(now)
        sink.end(end)
        client.close()
    between = time.perf_counter()
    [stored] = runner.store(own=sink.spooled(cycle, end)).loads
    ended = time.perf_counter()
    if stored.row["status"] != "complete":
        sys.exit(f"the cycle was {stored.row['status']}: {stored.row['missing']}")
    return between - started, ended - between


def plain(address: str, folder: Path) -> float:
    """What the script of a hurried afternoon takes."""
    started = time.perf_counter()
    coins = []
    for call in CALLS:
        response = requests.post(f"{address}/{call.endpoint}", json=call.request, timeout=30).json()
        if call.part == "coins":
            coins += response
    rows = [[coin["code"], coin["rate"], coin["volume"], coin["cap"], json.dumps(coin)] for coin in coins]
    with duckdb.connect(str(folder / "plain.duckdb")) as db:
        db.execute("CREATE TABLE IF NOT EXISTS ticks (code VARCHAR, rate DOUBLE, volume DOUBLE, cap DOUBLE, raw JSON)")
        db.executemany("INSERT INTO ticks VALUES (?, ?, ?, ?, ?)", rows)
    return time.perf_counter() - started


def main() -> None:
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    both, fetches, stores, plains = [], [], [], []
    with tempfile.TemporaryDirectory() as name, market(cycles + 1) as server:
        for number in range(cycles + 1):
            fetch_s, store_s = ours(server.address, Path(name), number)
            plain_s = plain(server.address, Path(name))
            server.next_minute()
            if number:
                fetches.append(fetch_s)
                stores.append(store_s)
                both.append(fetch_s + store_s)
                plains.append(plain_s)
    rows = {
        "ours, fetch and store": both,
        "  of that: fetch": fetches,
        "  of that: store": stores,
        "a plain script": plains,
    }
    print(table("14 calls and 1,000 coins, without Dagster", rows, budget="under 0.10 s"))


if __name__ == "__main__":
    main()
