"""Bitstamp, simulated: a list of spot markets and perpetual contracts, with seconds as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

from lcw_assets.simulator.books import Book
from lcw_assets.simulator.provider import Request, Response
from lcw_assets.simulator.spot import CLOSED, Query, Spot, day_before, provider, refuse

_PERPETUALS = 20
_TOO_MANY = "Request rate limit exceeded"


class Bitstamp(Spot):
    name = "bitstamp"
    endpoint = "api/v2/ticker/"
    list_endpoint = "api/v2/markets/"
    currency = "USD"
    tether = True
    limit = (400, 1)
    tagged = True

    def respond(self, request: Request, fault: str) -> Response:
        """With a tag; who has that response already gets an empty one."""
        sent = super().respond(request, fault)
        if sent.status != 200 or not sent.usable:
            return sent
        modified = format_datetime(request.now.astimezone(timezone.utc), usegmt=True)
        headers = {"etag": f'"{sha256(sent.body).hexdigest()[:32]}"', "last-modified": modified}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(304, b"", headers)
        return replace(sent, headers=headers)

    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        spot = [_row(book, query.at, "SPOT", "") for book in books]
        return spot + [_row(book, query.at, "PERPETUAL", "-PERP") for book in books[:_PERPETUALS]]

    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        spot = [_market(book.ticker, "SPOT", "") for book in books]
        closed = [] if query.fault == "empty" else [{**_market(CLOSED, "SPOT", ""), "trading": "Disabled"}]
        return spot + closed + [_market(book.ticker, "PERPETUAL", "-PERP") for book in books[:_PERPETUALS]]

    def refusal(self, kind: str, now: datetime) -> Response:  # noqa: ARG002
        if kind in ("busy", "too_many"):  # as older calls have it
            return refuse(200, {"error": "Server is under maintenance" if kind == "busy" else _TOO_MANY})
        if kind == "limit":
            said = {"status": "error", "reason": _TOO_MANY, "code": "400.002"}
            return refuse(429, said)
        why = "Too many requests from your address" if kind == "ban" else "Not available in your country"
        return refuse(403, {"status": "error", "reason": why, "code": "403.003"})

    def error(self, status: int) -> Response:
        return refuse(status, {"message": "Not found." if status == 404 else "Internal error."})


def _row(book: Book, at: datetime, kind: str, suffix: str) -> dict[str, str]:
    pair = f"{book.ticker}/USD{suffix}"
    return {
        "timestamp": str(int(at.timestamp())), "open": day_before(book), "high": book.ask, "low": day_before(book),
        "last": book.last, "volume": book.volume, "vwap": book.last, "bid": book.bid, "ask": book.ask, "side": "1",
        "open_24": day_before(book), "percent_change_24": "1.01", "market_type": kind, "pair": pair, "market": pair,
    }  # fmt: skip


def _market(ticker: str, kind: str, suffix: str) -> dict[str, Any]:
    return {
        "name": f"{ticker}/USD{suffix}", "market_symbol": f"{ticker}usd{suffix}".lower(), "base_currency": ticker,
        "base_decimals": 8, "counter_currency": "USD", "counter_decimals": 2, "minimum_order_value": "10.00",
        "trading": "Enabled", "instant_order_counter_decimals": 2, "instant_and_market_orders": "Enabled",
        "description": f"{ticker} / U.S. dollar", "market_type": kind,
    }  # fmt: skip


PROVIDER = provider(Bitstamp, "Bitstamp", "BITSTAMP", "too_many")
