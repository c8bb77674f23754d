"""A round of prices without its calls: `python -m benchmarks.prices`. From parsed tickers to a consensus a coin."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from random import Random

from benchmarks.report import table
from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.pricing import Response, Rules, price_round
from lcw_assets.defs.prices.quotes import Past
from lcw_assets.instruments.instruments import Instruments
from lcw_assets.instruments.names import EVERYWHERE, CoinName, Market
from lcw_assets_tests.defs.prices.venues import SEVEN, book

_AT = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
_IN_USD = frozenset({"bitstamp", "coinbase", "kraken"})
_USDT = 0.999


def main() -> None:
    rows = {}
    for coins in (6, 100, 1_000):
        names, markets = _names(coins)
        rows[f"{coins} coins x 7: names"] = _milliseconds(lambda n=names, m=markets: Instruments(n, m, _AT))  # type: ignore[misc]
        rows[f"{coins} coins x 7: round, median"] = _milliseconds(_round(coins, Rules()))
        rows[f"{coins} coins x 7: round, volume"] = _milliseconds(_round(coins, Rules(method="volume")))
        rows[f"{coins} coins x 7: with history"] = _milliseconds(_round(coins, Rules(), history=10))
    print(table("a round of prices, without its calls", rows, unit="ms", budget="1,000 coins: under 500 ms with them"))


def _names(coins: int) -> tuple[list[CoinName], list[Market]]:
    codes = [f"C{place}" for place in range(coins)]
    names = [CoinName(EVERYWHERE, code, code) for code in (*codes, "USD", "USDT")]
    markets = [
        Market(source, f"{code}-{quote}", code, quote)
        for source in SEVEN
        for code in codes
        for quote in ["USD" if source in _IN_USD else "USDT"]
    ]
    return names, [*markets, *(Market(source, "USDT-USD", "USDT", "USD") for source in (*_IN_USD, "okx"))]


def _round(coins: int, rules: Rules, history: int = 0) -> Callable[[], object]:
    """One of the seven is 5 % off in a tenth of the coins."""
    names, markets = _names(coins)
    instruments = Instruments(names, markets, _AT)
    random = Random(1)  # noqa: S311
    by_source: dict[str, list[Market]] = {source: [] for source in SEVEN}
    for market in markets:
        by_source[market.venue].append(market)
    true = {f"C{place}": 10 ** random.uniform(-6, 5) for place in range(coins)} | {"USDT": _USDT}
    responses = []
    for source, own in by_source.items():
        tickers = []
        for market in own:
            off = 1.05 if source == "bybit" and random.random() < 0.1 else 1 + random.uniform(-2e-4, 2e-4)
            price = true[market.base] / (_USDT if market.quote == "USDT" else 1)
            tickers.append(book(market.symbol, price * (1 if market.base == "USDT" else off), source, _AT))
        responses.append(Response(source, _AT, tickers))
    last = {"USDT": Rate("USDT", _USDT, _AT, ("kraken",), None)}
    past = {
        (response.source, ticker.market): Past(history, ticker.last or 1, (ticker.last or 1) * (1 + 1e-4 * history))
        for response in responses
        for ticker in response.tickers
        if history
    }
    wanted = [f"C{place}" for place in range(coins)]
    found = price_round(responses, instruments, wanted, SEVEN, _AT, last_rates=last, history=past, rules=rules)
    if not all(one.price for one in found.consensus):
        raise RuntimeError("a coin of an honest majority has no price")
    return lambda: price_round(responses, instruments, wanted, SEVEN, _AT, last_rates=last, history=past, rules=rules)


def _milliseconds(work: Callable[[], object]) -> list[float]:
    """CPU time of this thread: the machine may be busy with something else."""
    found = []
    for _ in range(9):
        started = time.thread_time()
        work()
        found.append(1e3 * (time.thread_time() - started))
    return found


if __name__ == "__main__":
    main()
