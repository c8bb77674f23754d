"""Sources of prices, called over the wire: at their simulators, or at a server that sends one body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lcw_assets.simulator.ledger import Entry
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.spec import discover
from lcw_assets.sources.ticker_client import TickerClient
from lcw_assets.sources.tickers import Ticker, Tickers
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets_tests.patience import PATIENCE_S, until
from lcw_assets_tests.servers import raw_server, reply
from lcw_assets_tests.transport.test_client import Kept

SOURCES = {name: source for name, source in discover().items() if source.watch[0] == "prices.quotes"}

# What each calls Bitcoin, and USDT in USD where it trades that.
BITCOIN = {
    "kraken": "XXBTZUSD", "coinbase": "BTC-USD", "bitstamp": "BTC/USD", "okx": "BTC-USDT", "binance": "BTCUSDT",
    "kucoin_spot": "BTC-USDT", "bybit": "BTCUSDT", "coingecko": "bitcoin",
}  # fmt: skip
TETHER = {
    "kraken": "USDTZUSD",
    "coinbase": "USDT-USD",
    "bitstamp": "USDT/USD",
    "okx": "USDT-USD",
    "coingecko": "tether",
}
IN_USDT = ("okx", "binance", "kucoin_spot", "bybit")


def client_of(name: str, address: str, sink: Kept | None = None, **options: Any) -> TickerClient:
    """At an address, with one attempt."""
    client = Client(
        address,
        source=name,
        sink=sink or Kept(),
        rate_limit=options.pop("rate_limit", None),
        retry=RetryPolicy(attempts=1, first_s=0.01),
    )
    own: TickerClient = SOURCES[name].client_class()(
        client, deadline=Deadline.after(PATIENCE_S), **{"simulated": True, **options}
    )
    return own


def call(name: str, address: str, markets: Sequence[str] = (), sink: Kept | None = None, **options: Any) -> Tickers:
    return client_of(name, address, sink, **options).tickers(markets)


def sent(name: str, text: str, status: str = "200 OK", *headers: str, **options: Any) -> Tickers:
    """What the client makes of one body. Raises `CallError`."""
    with raw_server(reply(status, text.encode(), "Content-Type: application/json", *headers)) as address:
        return call(name, address, **options)


def refused(name: str, text: str, status: str = "200 OK", *headers: str) -> CallError:
    with pytest.raises(CallError) as raised:
        sent(name, text, status, *headers)
    return raised.value


def by_market(found: Tickers) -> dict[str, Ticker]:
    return {ticker.market: ticker for ticker in found.records}


def served(simulator: Simulator) -> Sequence[Entry]:
    """What it has served. An entry may be written when its response is here already."""
    until(lambda: simulator.ledger.entries)
    return simulator.ledger.entries
