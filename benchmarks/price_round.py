"""The same round by this project's sources, each in a thread: what `benchmarks.ccxt_prices` holds ccxt against.

Arguments and output are those of `benchmarks.ccxt_round`.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

_STARTED = time.perf_counter()

from lcw_assets.sources.binance.client import Binance  # noqa: E402 - the import is measured
from lcw_assets.sources.bitstamp.client import Bitstamp  # noqa: E402
from lcw_assets.sources.bybit.client import Bybit  # noqa: E402
from lcw_assets.sources.coinbase.client import Coinbase  # noqa: E402
from lcw_assets.sources.kraken.client import Kraken  # noqa: E402
from lcw_assets.sources.kucoin_spot.client import KuCoinSpot  # noqa: E402
from lcw_assets.sources.okx.client import Okx  # noqa: E402
from lcw_assets.sources.ticker_client import TickerClient  # noqa: E402
from lcw_assets.transport.client import Client  # noqa: E402
from lcw_assets.transport.deadline import Deadline  # noqa: E402
from lcw_assets.transport.facts import Attempt, Response  # noqa: E402

_COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB")
_IN_USDT = [f"{coin}USDT" for coin in _COINS]
_BETWEEN = [f"{coin}-USDT" for coin in _COINS]

# What each is called with, and what of its response is wanted.
_SOURCES: tuple[tuple[type[TickerClient], list[str]], ...] = (
    (Kraken, ["XBTUSD", "ETHUSD", "SOLUSD", "XRPUSD", "XDGUSD", "BNBUSD", "USDTUSD"]),
    (Coinbase, [f"{coin}-USD" for coin in (*_COINS, "USDT")]),
    (Bitstamp, [f"{coin}/USD" for coin in (*_COINS, "USDT")]),
    (Okx, [*_BETWEEN, "USDT-USD"]),
    (Binance, _IN_USDT),
    (KuCoinSpot, _BETWEEN),
    (Bybit, _IN_USDT),
)
_KRAKEN = {"XXBTZUSD", "XETHZUSD", "SOLUSD", "XXRPZUSD", "XDGUSD", "BNBUSD", "USDTZUSD"}


class _Sink:
    """Keeps the last response of each source, as a spool would on disk."""

    def __init__(self) -> None:
        self.last: Response | None = None

    def attempt(self, attempt: Attempt) -> None:
        pass

    def response(self, response: Response) -> None:
        self.last = response

    def refused(self, response: Response, reason: str) -> None:
        raise RuntimeError(f"{response.endpoint}: {reason}")


def _prices(source: tuple[TickerClient, list[str]]) -> int:
    """How many of the wanted markets have one."""
    client, markets = source
    wanted = _KRAKEN if isinstance(client, Kraken) else set(markets)
    return sum(ticker.market in wanted and ticker.last is not None for ticker in client.tickers(markets).records)


def main() -> None:
    address, rounds = sys.argv[1], int(sys.argv[2])
    imported_s = time.perf_counter() - _STARTED
    deadline = Deadline.after(60)
    sources = []
    for kind, markets in _SOURCES:
        client = Client(f"{address}/{kind.source.simulator}", source=kind.source.name, sink=_Sink())
        sources.append((kind(client, deadline=deadline, simulated=True), markets))
    took, prices = [], 0
    with ThreadPoolExecutor(len(sources)) as pool:
        for _ in range(rounds):
            for source, _ in sources:  # the body is the same each time, and the last one is cached
                type(source).read_tickers.cache_clear()  # type: ignore[attr-defined]
            started = time.perf_counter()
            prices = sum(pool.map(_prices, sources))
            took.append(time.perf_counter() - started)
    print(json.dumps({"imported_s": imported_s, "rounds_s": took, "prices": prices}))


if __name__ == "__main__":
    main()
