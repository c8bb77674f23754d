"""Coinbase Exchange, simulated: the statistics of all products, without an order book and without a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lcw_assets.simulator.books import Book
from lcw_assets.simulator.provider import Request, Response
from lcw_assets.simulator.spot import CLOSED, Query, Spot, day_before, provider, refuse

_WITH_USDC = 6


class Coinbase(Spot):
    """With the fault `bare` a product in three has `{}`."""

    name = "coinbase"
    endpoint = "products/stats"
    list_endpoint = "products"
    currency = "USD"
    tether = True
    limit = (10, 1)
    every_s = 5
    delisted = "zeros"

    def respond(self, request: Request, fault: str) -> Response:
        if not request.headers.get("user-agent"):
            return refuse(403, {"message": "User-Agent header is required."})
        return super().respond(request, fault)

    def headers(self, now: datetime) -> dict[str, str]:  # noqa: ARG002
        return {"cache-control": "public, max-age=5"}

    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        rows = {f"{book.ticker}-USD": _row(book) for book in books}
        rows |= {alias: rows[name] for name, alias in _aliases(books)}
        if query.fault == "bare":
            return {name: {} if place % 3 == 1 else row for place, (name, row) in enumerate(rows.items())}
        return rows

    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        products = {f"{book.ticker}-USD": _product(book.ticker, "USD") for book in books}
        for name, alias in _aliases(books):
            products[alias] = {**_product(*alias.split("-")), "alias": name}
            products[name]["alias_to"] = [alias]
        if query.fault != "empty":
            products[CLOSED] = {**_product(CLOSED, "USD"), "status": "delisted", "trading_disabled": True}
            products["auction"] = {**_product(CLOSED, "USDT"), "auction_mode": True}
        return list(products.values())

    def refusal(self, kind: str, now: datetime) -> Response:  # noqa: ARG002
        status, message = {
            "limit": (429, "Public rate limit exceeded"),
            "ban": (403, "Too many requests: this address is blocked"),
            "country": (403, "Access from your country is not allowed"),
            "busy": (503, "Service is under maintenance"),
        }[kind]
        return refuse(status, {"message": message})

    def error(self, status: int) -> Response:
        said = {404: "NotFound", 429: "Public rate limit exceeded"}
        return refuse(status, {"message": said.get(status, "Internal server error")})


def _row(book: Book) -> dict[str, Any]:
    return {
        "stats_30day": {"volume": book.volume, "rfq_volume": "19973.910319"},
        "stats_24hour": {
            "open": day_before(book), "high": book.ask, "low": day_before(book), "last": book.last,
            "volume": book.volume, "rfq_volume": "1097.9",
        },
    }  # fmt: skip


def _aliases(books: Sequence[Book]) -> list[tuple[str, str]]:
    """The large coins' books against USD are also shown against USDC."""
    return [(f"{book.ticker}-USD", f"{book.ticker}-USDC") for book in books[:_WITH_USDC] if book.ticker != "USDT"]


def _product(base: str, quote: str) -> dict[str, Any]:
    return {
        "id": f"{base}-{quote}", "base_currency": base, "quote_currency": quote, "quote_increment": "0.01",
        "base_increment": "0.00000001", "display_name": f"{base}-{quote}", "min_market_funds": "1",
        "margin_enabled": False, "post_only": False, "limit_only": False, "cancel_only": False, "status": "online",
        "status_message": "", "trading_disabled": False, "fx_stablecoin": False,
        "max_slippage_percentage": "0.02000000", "auction_mode": False, "high_bid_limit_percentage": "",
        "alias": "", "alias_to": [],
    }  # fmt: skip


PROVIDER = provider(Coinbase, "Coinbase Exchange", "COINBASE", "bare")
