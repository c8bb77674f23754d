"""A round of prices without Dagster: seven calls, fetched, spooled and stored. `python -m benchmarks.rounds [rounds]`.

The server is a process of its own. It sends what the simulated exchanges send, worked out beforehand: at once, or with
latencies of 0.15 to 0.6 s a source. `over the slowest` is what a round takes longer than its slowest response.
"""

from __future__ import annotations

import gzip
import http.server
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlencode

import requests

from benchmarks.market import send_line
from benchmarks.report import table
from lcw_assets.defs.prices.definitions import quote_prices
from lcw_assets.defs.prices.load import PricesHooks
from lcw_assets.ingest.load import Load, load_id
from lcw_assets.ingest.run_clock import RunClock
from lcw_assets.ingest.runner import Runner
from lcw_assets.instruments.names import EVERYWHERE
from lcw_assets.instruments.store import read_instruments, replace_markets, traded_coins
from lcw_assets.settings import Settings
from lcw_assets.settings.prices import GROUP, exchanges
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.spec import group
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.tables import append
from lcw_assets_tests.loads import Lines, folder_settings


class Mirror(http.server.ThreadingHTTPServer):
    """Sends what the simulator at `upstream` sent first for each address. `delays` are seconds by exchange."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.delays: Mapping[str, float] = {}
        self.kept: dict[str, bytes] = {}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Mirror

    def do_GET(self) -> None:
        body = self.server.kept.get(self.path)
        if body is None:
            sent = requests.get(self.server.upstream + self.path, timeout=60)
            body = self.server.kept[self.path] = gzip.compress(sent.content, 1)
        time.sleep(self.server.delays.get(self.path.split("/")[1], 0.0))
        self.send_response(200)
        for name, value in (
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
            ("x-lcw-simulator", "1"),
        ):
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def serve(markets: int) -> None:
    """A line `next` forgets what was sent; a line of `name=seconds` sets the delays."""
    names = exchanges()
    options: dict[str, Any] = {f"{name}_markets": markets for name in names}
    simulator = Simulator(**options)
    for name in names if markets > 300 else ():
        service: Any = simulator._services[name]  # noqa: SLF001
        service._books._venue._choice = 1  # noqa: SLF001 - all have the same coins, not every third
    with simulator.serve() as upstream, Mirror(upstream) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{mirror.server_address[1]}", flush=True)
        for line in sys.stdin:
            if line.strip() == "next":
                mirror.kept.clear()
            else:
                mirror.delays = {name: float(value[0]) for name, value in parse_qs(line.strip()).items()}
            print("done", flush=True)


@contextmanager
def served(markets: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "benchmarks.rounds", "serve", str(markets)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield (process.stdout.readline().strip() if process.stdout else ""), process
        process.communicate()  # closes its standard input, which ends it


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for symbols, markets, budget in ((6, 300, "0.15 s"), (1_000, 1_200, "0.5 s")):
        with served(markets) as (address, server), tempfile.TemporaryDirectory() as name:
            load = Rounds(Path(name), address, symbols)
            found = [load.measure(server) for _ in range(rounds + 1)][1:]
            show(f"{len(load.symbols):,} symbols, 7 exchanges that respond at once", found, f"under {budget}")
            if symbols == 6:
                slow = [load.measure(server, slow=True) for _ in range(rounds)]
                show("the same, with 0.15 to 0.6 s of latency", slow, "0.3 s over the slowest response, in the median")


def show(title: str, found: Sequence[Mapping[str, float]], budget: str) -> None:
    print(table(title, {name: [one[name] for one in found] for name in found[0]}, budget=budget), flush=True)


class Rounds:
    def __init__(self, folder: Path, address: str, symbols: int) -> None:
        self.sources = group(GROUP).sources
        variables = {f"{one.variables}_BASE_URL": f"{address}/{name}" for name, one in self.sources.items()}
        self.settings: Settings = folder_settings(folder, **variables)
        self.address = address
        self.connect = partial(open_database, self.settings.database)
        self.number = 0
        self.random = Random(1)  # noqa: S311
        self.symbols = self._learn(symbols)
        self.settings = folder_settings(folder, PRICES_SYMBOLS=",".join(self.symbols), **variables)

    def measure(self, server: subprocess.Popen[str], *, slow: bool = False) -> dict[str, float]:
        """Seconds of one round."""
        self.number += 1
        if self.number % 5 == 0:  # Kraken allows 15 calls in as many seconds
            send_line(server, "next")
        send_line(server, urlencode({"none": 0}))
        now = datetime.now(timezone.utc)
        for folder in ("limits", "cache"):  # each round makes its calls
            shutil.rmtree(self.settings.data_dir / folder, ignore_errors=True)
        hooks = PricesHooks(self.settings, Lines(), now)
        runner = Runner(quote_prices, hooks, self.settings, self.connect, hooks.log)
        runner.prepare()
        for call in hooks.plan(RunClock(now, now, False, 0.0, 0.0, now)):
            requests.get(f"{self.address}/{call.source}/{call.endpoint}", params=call.request, timeout=60)
        for client in hooks.sources.clients.values():  # parsed responses are cached, as they are stored in this process
            client.read_tickers.cache_clear()
        delays = {name: self.random.uniform(0.15, 0.6) for name in exchanges()} if slow else {"none": 0.0}
        send_line(server, urlencode(delays))
        return self._round(max(delays.values()))

    def _round(self, slowest_s: float) -> dict[str, float]:
        started, cpu = time.perf_counter(), time.process_time()
        now = datetime.now(timezone.utc)
        hooks = PricesHooks(self.settings, Lines(), now)
        runner = Runner(quote_prices, hooks, self.settings, self.connect, hooks.log)
        runner.prepare()
        prepared = time.perf_counter()
        load = Load.begun(load_id(now, "benchmark"), "quote_prices", now, run_id="benchmark", source="prices-simulator")
        clock = RunClock(now, now, False, 0.0, 0.0, now)
        _, own = runner.fetch(load, clock, 10.0, list(quote_prices.raw))
        fetched = time.perf_counter()
        [stored] = runner.store(own=own).loads
        ended = time.perf_counter()
        row = stored.row
        if row["status"] != "complete" or row["detail"]["priced"] != len(self.symbols):
            sys.exit(f"the round was {row['status']}, {row['detail']}: {row['missing']}")
        return {
            "round": ended - started,
            "over the slowest": ended - started - slowest_s,
            "prepare": prepared - started,
            "fetch": fetched - prepared,
            "store": ended - fetched,
            "CPU time": time.process_time() - cpu,
            "calls": float(row["calls"]),
        }

    def _learn(self, symbols: int) -> list[str]:
        """Every exchange's list of markets, and so many coins that three of them trade."""
        now = datetime.now(timezone.utc)
        with self.connect() as db:
            listed = {}
            for name in exchanges():
                client = self.sources[name].client_class()
                sent = requests.get(
                    f"{self.address}/{name}/{client.list_endpoint}", params=client.list_request, timeout=60
                )
                listed[name] = client.read_markets(sent.text).records
                replace_markets(db, name, listed[name], now, "benchmark")
            if symbols <= 6:
                return ["BTC", "ETH", "SOL", "XRP", "DOGE", "BNB"]
            bases = sorted({row.base for rows in listed.values() for row in rows if row.status == "trading"})
            known = {"XBT", "XDG"}
            append(
                db,
                "instruments.names",
                [
                    {"venue": EVERYWHERE, "name": base, "coin": base, "origin": "user"}
                    for base in bases
                    if base not in known and base.isalnum()
                ],
            )
            instruments = read_instruments(db, None, now)
            # With fewer than five sources they have to agree more closely than small simulated coins do.
            return list(traded_coins(instruments, bases, exchanges(), at_least=5))[:symbols]


if __name__ == "__main__":
    main()
