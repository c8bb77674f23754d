"""CoinGecko, simulated: averages in USD, once a minute, under its own names of coins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lcw_assets.simulator.books import Book
from lcw_assets.simulator.provider import Response
from lcw_assets.simulator.spot import Query, Spot, provider, refuse

# Of the coins that people know; others have their ticker, in lower case.
_NAMES = {
    "BTC": "bitcoin", "ETH": "ethereum", "XRP": "ripple", "USDT": "tether", "BNB": "binancecoin", "SOL": "solana",
    "DOGE": "dogecoin", "TRX": "tron", "ADA": "cardano", "HYPE": "hyperliquid", "LINK": "chainlink", "SUI": "sui",
    "AVAX": "avalanche-2", "XLM": "stellar", "BCH": "bitcoin-cash", "TON": "the-open-network", "LTC": "litecoin",
}  # fmt: skip

_BLOCKED = '<html><title>Access denied</title><span class="cf-error-code">1020</span>cloudflare</html>'


class CoinGecko(Spot):
    name = "coingecko"
    endpoint = "api/v3/simple/price"
    list_endpoint = "api/v3/coins/list"
    currency = "USD"
    tether = True
    limit = (30, 60)
    every_s = 60

    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        if "vs_currencies" not in query.parameters:
            return refuse(422, {"error": "Missing parameter vs_currencies"})
        wanted = query.parameters.get("ids", "").split(",")
        found = {_name(book): book for book in books}
        return {name: _row(found[name], int(query.at.timestamp())) for name in wanted if name in found}

    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        """Two coins have the ticker of Bitcoin, as several have at CoinGecko."""
        rows = [{"id": _name(book), "symbol": book.ticker.lower(), "name": book.ticker.title()} for book in books]
        twin = {"id": "bitcoin-on-another-chain", "symbol": "btc", "name": "Bridged Bitcoin"}
        return rows if query.fault == "empty" else [*rows, twin]

    def refusal(self, kind: str, now: datetime) -> Response:
        if kind == "ban":
            return refuse(403, _BLOCKED)
        if kind == "country":
            return refuse(451, "<html><title>Unavailable For Legal Reasons</title></html>")
        if kind == "busy":
            return self.error(503)
        said = "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing"
        seconds = str(int(self.rate.reset_s(now)) + 1)
        return refuse(429, {"status": {"error_code": 429, "error_message": said}}, {"retry-after": seconds})

    def error(self, status: int) -> Response:
        return refuse(status, {"status": {"error_code": status, "error_message": "An error"}})


def _name(book: Book) -> str:
    return _NAMES.get(book.ticker, book.ticker.lower())


def _row(book: Book, at_s: int) -> dict[str, Any]:
    try:
        price: float | str = float(book.last)
    except ValueError:
        price = book.last
    return {"usd": price, "last_updated_at": at_s}


PROVIDER = provider(CoinGecko, "CoinGecko", "COINGECKO")
