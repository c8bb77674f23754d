"""Kraken, simulated: markets by names of its own, and errors under HTTP 200.

RHEA may only be cancelled in, as at Kraken itself; AIO and AIOZ become one where an X or a Z is stripped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lcw_assets.simulator.books import Book
from lcw_assets.simulator.provider import Response
from lcw_assets.simulator.spot import Query, Spot, day_before, provider, refuse

# Old coins have an X before them, and money a Z; Bitcoin and Dogecoin have names of their own.
_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
_WITH_X = ("XBT", "ETH", "XRP", "LTC", "XLM")

# A market that may only be cancelled in: a book far apart, and no trade ever.
_DEAD = {
    "a": ["0.03400000", "1", "1.000"], "b": ["0.00447000", "1", "1.000"], "c": ["0.000000000", "0.00000000"],
    "v": ["0.00000000", "0.00000000"], "t": [0, 0],
}  # fmt: skip

# Coins that the hidden market does not have.
_ALIKE = (
    Book("AIO", "USD", "0.09110000", "0.09130000", "0.09120000", "81000.5"),
    Book("AIOZ", "USD", "0.31750000", "0.31850000", "0.31800000", "42000.5"),
)


class Kraken(Spot):
    name = "kraken"
    endpoint = "0/public/Ticker"
    list_endpoint = "0/public/AssetPairs"
    currency = "USD"
    tether = True
    limit = (15, 15)
    delisted = "cancel_only"

    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        markets = {pair_of(book): book for book in _all(books, query)}
        wanted = query.parameters.get("pair")
        if wanted is None:
            dead = {} if query.fault == "empty" else {"RHEAUSD": _DEAD}
            return {"error": [], "result": {key: _row(book) for (_, key), book in markets.items()} | dead}
        known = {name: (key, book) for (alt, key), book in markets.items() for name in (alt, key)}
        names = wanted.split(",")
        if any(name not in known for name in names) and query.fault != "empty":
            return refuse(200, {"error": ["EQuery:Unknown asset pair"]})
        return {"error": [], "result": {known[name][0]: _row(known[name][1]) for name in names if name in known}}

    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        names = {pair_of(book): _NAMES.get(book.ticker, book.ticker) for book in _all(books, query)}
        listed = {key: _pair(altname, key, name) for (altname, key), name in names.items()}
        if query.fault != "empty":
            listed["RHEAUSD"] = {**_pair("RHEAUSD", "RHEAUSD", "RHEA"), "status": "cancel_only"}
            listed["AAPLxUSD"] = {**_pair("AAPLxUSD", "AAPLxUSD", "AAPLx"), "aclass_base": "tokenized_asset"}
        return {"error": [], "result": listed}

    def refusal(self, kind: str, now: datetime) -> Response:
        if kind == "country":
            return refuse(403, "<html><title>403 Forbidden</title>Not available in your country</html>")
        said = {
            "limit": "EAPI:Rate limit exceeded",
            "too_many": "EGeneral:Too many requests",
            "ban": "EGeneral:Temporary lockout",
            "busy": f"EService: Throttled: {int(now.timestamp()) + 2}",
        }
        return refuse(200, {"error": [said[kind]]})

    def error(self, status: int) -> Response:
        said = {404: "EGeneral:Unknown method", 429: "EGeneral:Too many requests"}
        return refuse(status, {"error": [said.get(status, "EService:Unavailable")]})


def pair_of(book: Book) -> tuple[str, str]:
    """The name by which a market is requested, and the one in the response: XBTUSD, XXBTZUSD."""
    base = _NAMES.get(book.ticker, book.ticker)
    if base == "USDT":
        return "USDTUSD", "USDTZUSD"
    return f"{base}USD", f"X{base}ZUSD" if base in _WITH_X else f"{base}USD"


def _all(books: Sequence[Book], query: Query) -> Sequence[Book]:
    known = {book.ticker for book in books}
    return [*books, *(book for book in _ALIKE if book.ticker not in known and query.fault != "empty")]


def _row(book: Book) -> dict[str, Any]:
    return {
        "a": [book.ask, "1", "1.000"], "b": [book.bid, "2", "2.000"], "c": [book.last, "0.00802897"],
        "v": ["0.78648221", book.volume], "p": [book.last, book.last], "t": [35, 3276],
        "l": [book.bid, book.bid], "h": [book.ask, book.ask], "o": day_before(book),
    }  # fmt: skip


def _pair(altname: str, key: str, name: str) -> dict[str, Any]:
    """An entry of the list of pairs. `base` has an X before it where the key has one."""
    return {
        "altname": altname, "wsname": f"{name}/USD", "aclass_base": "currency",
        "base": f"X{name}" if key != altname and name in _WITH_X else name, "aclass_quote": "currency", "quote": "ZUSD",
        "lot": "unit", "cost_decimals": 5, "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1,
        "leverage_buy": [2, 3], "leverage_sell": [2, 3], "fees": [[0, 0.4], [10000, 0.35]], "fees_maker": [[0, 0.25]],
        "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40, "ordermin": "0.00005", "costmin": "0.5",
        "tick_size": "0.1", "status": "online",
    }  # fmt: skip


PROVIDER = provider(Kraken, "Kraken", "KRAKEN", "too_many")
