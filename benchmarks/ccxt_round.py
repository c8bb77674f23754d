"""A round of prices by ccxt: `fetch_tickers` of seven exchanges, each in a thread. A process of its own: it may have
another Python than the project's, so it imports nothing of it.

Arguments: the simulator's address, and how many rounds. Markets are set, not loaded: that would be more requests.
Prints a JSON line: `imported_s`, and of each round `rounds_s` and how many prices came (`prices`).
"""

from __future__ import annotations

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_STARTED = time.perf_counter()

import ccxt  # noqa: E402 - its import is measured

_COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB")
_KRAKEN = {"BTC": "XXBTZUSD", "ETH": "XETHZUSD", "XRP": "XXRPZUSD", "DOGE": "XDGUSD", "USDT": "USDTZUSD"}

# ccxt's name of each exchange: the simulator's, what it quotes, between the codes of a market, and parameters.
_EXCHANGES: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "kraken": ("kraken", "USD", "", {}),
    "coinbaseexchange": ("coinbase", "USD", "-", {}),
    "bitstamp": ("bitstamp", "USD", "/", {}),
    "okx": ("okx", "USDT", "-", {}),
    "binance": ("binance", "USDT", "", {}),
    "kucoin": ("kucoin_spot", "USDT", "-", {}),
    "bybit": ("bybit", "USDT", "", {"category": "spot"}),
}


def exchange_at(name: str, address: str) -> tuple[Any, list[str], dict[str, str]]:
    """The client, the symbols that it is asked for, and parameters."""
    simulated, quote, between, parameters = _EXCHANGES[name]
    client = getattr(ccxt, name)({"enableRateLimit": False, "headers": {"User-Agent": "ccxt"}})
    client.urls["api"] = _local(client.urls["api"], f"{address}/{simulated}")
    pairs = [(coin, quote) for coin in _COINS]
    if quote == "USD" or name == "okx":
        pairs.append(("USDT", "USD"))
    client.set_markets([_market(client, name, base, own, between) for base, own in pairs])
    return client, [f"{base}/{own}" for base, own in pairs], parameters


def _market(client: Any, name: str, base: str, quote: str, between: str) -> Any:
    market_id = f"{base}{between}{quote}"
    if name == "kraken":
        market_id = _KRAKEN.get(base, market_id)
    return client.safe_market_structure(
        {"id": market_id, "symbol": f"{base}/{quote}", "base": base, "quote": quote, "baseId": base, "quoteId": quote,
         "type": "spot", "spot": True, "active": True, "altname": market_id, "info": {"altname": market_id},
         "precision": {"price": 1e-8, "amount": 1e-8}}
    )  # fmt: skip


def _local(urls: Any, address: str) -> Any:
    if isinstance(urls, dict):
        return {name: _local(url, address) for name, url in urls.items()}
    return re.sub(r"^https?://[^/]+", address, urls)


def main() -> None:
    address, rounds = sys.argv[1], int(sys.argv[2])
    imported_s = time.perf_counter() - _STARTED
    clients = [exchange_at(name, address) for name in _EXCHANGES]
    took, prices = [], 0
    with ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(rounds):
            started = time.perf_counter()
            found = list(pool.map(lambda one: one[0].fetch_tickers(one[1], one[2]), clients))
            took.append(time.perf_counter() - started)
            prices = sum(ticker["last"] is not None for tickers in found for ticker in tickers.values())
    print(json.dumps({"imported_s": imported_s, "rounds_s": took, "prices": prices}))


if __name__ == "__main__":
    main()
