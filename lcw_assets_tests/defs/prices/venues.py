"""Seven exchanges that send tickers of one true market, each as it is known to; and ways to lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.pricing import Response
from lcw_assets.defs.prices.quotes import TimeKind
from lcw_assets.instruments.instruments import Instrument, Instruments
from lcw_assets.instruments.known import MARKETS, NAMES

AT = datetime(2026, 7, 27, 9, 52, 20, tzinfo=timezone.utc)
SEVEN = ("binance", "bitstamp", "bybit", "coinbase", "kraken", "kucoin_spot", "okx")
COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB")
TRUE = {"BTC": 65_236.8, "ETH": 1_965.5, "SOL": 78.1, "XRP": 1.07, "DOGE": 0.07263, "BNB": 571.0}
USDT = 0.99905
INSTRUMENTS = Instruments(NAMES, MARKETS, AT)
LAST_RATE = Rate("USDT", USDT, AT - timedelta(minutes=1), ("coinbase", "kraken", "okx"), USDT)

KINDS: Mapping[str, TimeKind] = {"okx": "trade", "kucoin_spot": "snapshot", "bybit": "answer", "bitstamp": "answer"}


class Sent(NamedTuple):
    """A ticker, in the form that `lcw_assets.sources.tickers` has."""

    market: str
    bid: float | None
    ask: float | None
    last: float | None
    volume: float | None = 1_000.0
    source_time: datetime | None = None
    time_kind: TimeKind = "none"


Lie = Callable[[Sent, Instrument], Sent | None]


def book(market: str, price: float, source: str, at: datetime = AT, spread: float = 1e-5) -> Sent:
    """Around a price. Coinbase's one call for all has no book, and the times are of the kind that the source sends."""
    kind = KINDS.get(source, "none")
    when = None if kind == "none" else at - timedelta(seconds=1)
    if source == "coinbase":
        return Sent(market, None, None, price, 1_000.0, when, kind)
    return Sent(market, price * (1 - spread / 2), price * (1 + spread / 2), price, 1_000.0, when, kind)


def sent(
    source: str,
    *,
    true: Mapping[str, float] = TRUE,
    usdt: float = USDT,
    at: datetime = AT,
    off: float = 0.0,
    lie: Lie | None = None,
) -> Response:
    """What one source sends; `off` is by what share its honest prices are off."""
    tickers = []
    for market in MARKETS:
        meant = INSTRUMENTS.instrument(source, market.symbol)
        if market.venue != source or not isinstance(meant, Instrument):
            continue
        price = usdt if meant.coin == "USDT" else true[meant.coin] / (usdt if meant.currency == "USDT" else 1.0)
        ticker: Sent | None = book(market.symbol, price * (1 + off), source, at)
        if lie is not None and ticker is not None:
            ticker = lie(ticker, meant)
        if ticker is not None:
            tickers.append(ticker)
    return Response(source, at, tickers)


def scaled(factor: float, coins: Collection[str] | None = None) -> Lie:
    """Lies by a factor, of the given coins or of all."""

    def lie(ticker: Sent, meant: Instrument) -> Sent:
        if coins is not None and meant.coin not in coins:
            return ticker
        by = [None if value is None else value * factor for value in (ticker.bid, ticker.ask, ticker.last)]
        return ticker._replace(bid=by[0], ask=by[1], last=by[2])

    return lie


def swapped(ticker: Sent, meant: Instrument) -> Sent:
    return ticker._replace(bid=ticker.ask, ask=ticker.bid)


def yesterday(ticker: Sent, meant: Instrument) -> Sent:
    """With the time of yesterday, and a price of then."""
    old = scaled(0.97)(ticker, meant)
    assert old is not None
    return old._replace(source_time=AT - timedelta(days=1), time_kind="trade")


def tomorrow(ticker: Sent, meant: Instrument) -> Sent:
    return ticker._replace(source_time=AT + timedelta(days=1), time_kind="answer")


def zeros(ticker: Sent, meant: Instrument) -> Sent:
    return ticker._replace(bid=0.0, ask=0.0, last=0.0)


def no_numbers(ticker: Sent, meant: Instrument) -> Sent:
    return ticker._replace(bid=math.nan, ask=math.inf, last=math.nan)


def another_symbol(ticker: Sent, meant: Instrument) -> Sent:
    """The price of one coin under the name of another."""
    if meant.coin == "USDT":
        return ticker
    price = TRUE["ETH" if meant.coin == "BTC" else "BTC"]
    return ticker._replace(bid=price, ask=price, last=price)


def nothing(ticker: Sent, meant: Instrument) -> None:
    return None
