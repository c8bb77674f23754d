"""The exchanges that benchmarks of prices call: the simulator in a process of its own, with every response kept.

So it responds at once, to any number of calls. The sizes are about those of the real responses. Lines from standard
input are a command each: `calls` prints how many requests there were since the last one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from benchmarks.market import send_line
from lcw_assets.simulator.coinbase import Coinbase
from lcw_assets.simulator.provider import Request, Response, to_json
from lcw_assets.simulator.server import Simulator
from lcw_assets.simulator.spot import Spot

_AT = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
_MARKETS = {
    "kraken": 1000,
    "coinbase": 800,
    "bitstamp": 257,
    "okx": 1000,
    "binance": 1000,
    "kucoin_spot": 1000,
    "bybit": 600,
}
_SPARK_LINES = "products/spark-lines"


class PriceServer:
    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self._process = process
        self.address = address

    def calls(self) -> dict[str, int]:
        """By exchange, since the last time."""
        found: dict[str, int] = json.loads(send_line(self._process, "calls"))
        return found


@contextmanager
def price_server() -> Iterator[PriceServer]:
    command = [sys.executable, "-m", "benchmarks.price_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield PriceServer(process, send_line(process, ""))
        process.communicate()  # closes its standard input, which ends it


def _kept() -> None:
    """Replaces what every exchange does by what it did the first time: also over its limit."""
    responses: dict[tuple[str, str, str], Response] = {}
    of_spot, of_coinbase = Spot.respond, Coinbase.respond

    def respond(self: Spot, request: Request, fault: str) -> Response:
        key = (self.name, request.path, request.query)
        if key not in responses:
            responses[key] = of_spot(self, request, fault)
        return responses[key]

    def respond_with_candles(self: Coinbase, request: Request, fault: str) -> Response:
        """ccxt has Coinbase's prices from candles of an hour, which nobody else calls."""
        if request.path != _SPARK_LINES:
            return of_coinbase(self, request, fault)
        key = (self.name, request.path, request.query)
        if key not in responses:
            sent = of_coinbase(self, replace(request, path=self.endpoint), fault)
            rows = json.loads(sent.body)
            candles = {name: [_candle(row, hour) for hour in range(24)] for name, row in rows.items()}
            responses[key] = replace(sent, body=to_json(candles))
        return responses[key]

    Spot.respond = respond  # type: ignore[method-assign]
    Coinbase.respond = respond_with_candles  # type: ignore[method-assign]


def _candle(row: dict[str, dict[str, str]], hour: int) -> list[float]:
    price = float(row["stats_24hour"]["last"])
    return [int(_AT.timestamp()) - 3600 * hour, price, price, price, price]


def main() -> None:
    _kept()
    options: dict[str, Any] = {f"{name}_markets": markets for name, markets in _MARKETS.items()}
    simulator = Simulator(clock=lambda: _AT, **options)
    seen = 0
    with simulator.serve() as address:
        sys.stdin.readline()
        print(address, flush=True)
        for _ in sys.stdin:
            entries = simulator.ledger.entries
            counted = dict.fromkeys(_MARKETS, 0)
            for entry in entries[seen:]:
                counted[entry.provider] = counted.get(entry.provider, 0) + (1 if entry.good else 0)
                if not entry.good:
                    raise RuntimeError(f"{entry.provider} refused {entry.endpoint} {entry.request}: {entry.status}")
            seen = len(entries)
            print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
