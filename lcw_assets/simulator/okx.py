"""OKX, simulated: every spot market in an envelope, against USDT, and USDT against USD."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lcw_assets.simulator.books import Book
from lcw_assets.simulator.provider import Response
from lcw_assets.simulator.spot import CLOSED, Query, Spot, day_before, milliseconds, provider, refuse, turnover


class Okx(Spot):
    name = "okx"
    endpoint = "api/v5/market/tickers"
    list_endpoint = "api/v5/public/instruments"
    tether = True
    limit = (20, 2)

    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        return _spot(query, [_row(book, milliseconds(query.at)) for book in books])

    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        """One market does not open before tomorrow, and one is suspended."""
        later = [("SOON", "preopen"), (CLOSED, "suspend")] if query.fault != "empty" else []
        listed = [(book.ticker, book.currency, "live") for book in books]
        return _spot(query, [_instrument(*one) for one in (*listed, *((name, "USDT", why) for name, why in later))])

    def refusal(self, kind: str, now: datetime) -> Response:  # noqa: ARG002
        status, code, message = {
            "limit": (429, "50011", "Too Many Requests"),
            "too_many": (200, "50011", "Too Many Requests"),
            "ban": (403, "403", "Too many requests: this address is blocked"),
            "country": (403, "403", "This service is not available in your region"),
            "busy": (200, "50013", "Systems are busy. Please try again later."),
        }[kind]
        return refuse(status, {"code": code, "msg": message, "data": []})

    def error(self, status: int) -> Response:
        code = {404: "404", 429: "50011", 503: "50001"}.get(status, "50026")
        return refuse(status, {"code": code, "msg": "System error. Try again later.", "data": []})


def _spot(query: Query, rows: list[dict[str, Any]]) -> Any:
    if query.parameters.get("instType") != "SPOT":
        return refuse(400, {"code": "51000", "msg": "Parameter instType error", "data": []})
    return {"code": "0", "msg": "", "data": rows}


def _instrument(base: str, quote: str, state: str) -> dict[str, Any]:
    return {
        "alias": "", "auctionEndTime": "", "baseCcy": base, "category": "1", "ctMult": "", "ctType": "", "ctVal": "",
        "ctValCcy": "", "contTdSwTime": "1704876947000", "expTime": "", "futureSettlement": False, "groupId": "1",
        "instFamily": "", "instId": f"{base}-{quote}", "instType": "SPOT", "lever": "10", "listTime": "1606468572000",
        "lotSz": "0.00000001", "maxIcebergSz": "9999999999.0000000000000000", "maxLmtAmt": "1000000",
        "maxLmtSz": "9999999999", "maxMktAmt": "1000000", "maxMktSz": "", "maxStopSz": "",
        "maxTriggerSz": "9999999999.0000000000000000", "maxTwapSz": "9999999999.0000000000000000", "minSz": "0.00001",
        "optType": "", "openType": "call_auction", "quoteCcy": quote, "tradeQuoteCcyList": [quote], "settleCcy": "",
        "state": state, "ruleType": "normal", "stk": "", "tickSz": "0.1", "uly": "",
    }  # fmt: skip


def _row(book: Book, at_ms: int) -> dict[str, str]:
    return {
        "instType": "SPOT", "instId": f"{book.ticker}-{book.currency}", "last": book.last, "lastSz": "87.61588489",
        "askPx": book.ask, "askSz": "58.9233146", "bidPx": book.bid, "bidSz": "7289.11660123",
        "open24h": day_before(book), "high24h": book.ask, "low24h": day_before(book),
        "volCcy24h": turnover(book), "vol24h": book.volume, "ts": str(at_ms),
        "sodUtc0": day_before(book), "sodUtc8": day_before(book),
    }  # fmt: skip


PROVIDER = provider(Okx, "OKX", "OKX", "too_many")
