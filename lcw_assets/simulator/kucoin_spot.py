"""KuCoin's spot markets, simulated: a snapshot that is made every two seconds, and a gateway with its headers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lcw_assets.simulator.books import Book
from lcw_assets.simulator.provider import Request, Response
from lcw_assets.simulator.spot import CLOSED, Query, Spot, day_before, milliseconds, provider, refuse, turnover

_RENAMED = {"TON": "TONCOIN"}


class KuCoinSpot(Spot):
    """TON has another symbol than name, since it was renamed; with the fault `old_names`, every market has."""

    name = "kucoin_spot"
    endpoint = "api/v1/market/allTickers"
    list_endpoint = "api/v2/symbols"
    limit = (2000, 30)
    every_s = 2

    def weight(self, request: Request) -> int:
        return 4 if request.path == self.list_endpoint else 15

    def headers(self, now: datetime) -> dict[str, str]:
        return {
            "gw-ratelimit-limit": str(self.rate.limit),
            "gw-ratelimit-remaining": str(self.rate.remaining(now)),
            "gw-ratelimit-reset": str(int(1000 * self.rate.reset_s(now))),
        }

    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        rows = [_row(book, _first_name(book, query)) for book in books]
        return {"code": "200000", "data": {"time": milliseconds(query.at), "ticker": rows}}

    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        rows = [_symbol(book.ticker, _first_name(book, query)) for book in books]
        if query.fault != "empty":
            rows.append({**_symbol(CLOSED, CLOSED), "enableTrading": False})
        return {"code": "200000", "data": rows}

    def refusal(self, kind: str, now: datetime) -> Response:
        """`busy` is an overloaded server, which sends no headers and does not count the request."""
        if kind == "country":
            return refuse(403, {"code": "400302", "msg": "Our services are currently unavailable in your country."})
        if kind == "ban":
            return refuse(403, {"code": "403000", "msg": "Too many requests: this address is blocked"})
        said = {"code": "429000", "msg": "Too many requests in a short period of time, please retry later"}
        return refuse(200 if kind == "too_many" else 429, said, None if kind == "busy" else self.headers(now))

    def error(self, status: int) -> Response:
        return refuse(status, {"code": f"{status}000", "msg": "Too many requests" if status == 429 else "Error"})


def _first_name(book: Book, query: Query) -> str:
    """Of its coin, when the market was listed."""
    old = "OLD" if query.fault == "old_names" else ""
    return f"{old}{_RENAMED.get(book.ticker, book.ticker)}"


def _symbol(ticker: str, first: str) -> dict[str, Any]:
    return {
        "symbol": f"{first}-USDT", "name": f"{ticker}-USDT", "baseCurrency": first, "quoteCurrency": "USDT",
        "feeCurrency": "USDT", "market": "USDS", "baseMinSize": "0.00001", "quoteMinSize": "0.1",
        "baseMaxSize": "10000000000", "quoteMaxSize": "99999999", "baseIncrement": "0.00000001",
        "quoteIncrement": "0.000001", "priceIncrement": "0.1", "priceLimitRate": "0.1", "minFunds": "0.1",
        "isMarginEnabled": True, "enableTrading": True, "feeCategory": 1, "makerFeeCoefficient": "1.00",
        "takerFeeCoefficient": "1.00", "st": False,
    }  # fmt: skip


def _row(book: Book, first: str) -> dict[str, str | None]:
    name = f"{book.ticker}-USDT"
    return {
        "symbol": f"{first}-USDT", "symbolName": name, "buy": book.bid, "bestBidSize": "5.8034879", "sell": book.ask,
        "bestAskSize": "4.8345166", "changeRate": "0.0101", "changePrice": "1.0", "high": book.ask,
        "low": day_before(book), "vol": book.volume, "volValue": turnover(book),
        "last": book.last, "averagePrice": day_before(book), "takerFeeRate": "0.001", "makerFeeRate": "0.001",
        "takerCoefficient": "1", "makerCoefficient": "1",
    }  # fmt: skip


PROVIDER = provider(KuCoinSpot, "KuCoin Spot", "KUCOIN_SPOT", "old_names", "too_many")
