"""The fields of one request, read as leniently as Live Coin Watch reads them, and not more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lcw_assets.simulator.live_coin_watch import coins
from lcw_assets.simulator.live_coin_watch.aggregate import Aggregate
from lcw_assets.simulator.market import Listing

# Units for one USD. Any listed coin's code is a currency too.
FIATS = {
    "USD": (1.0, "United States Dollar", "USA", "$"),
    "EUR": (0.92, "Euro", "DEU", "€"),
    "GBP": (0.79, "British Pound", "GBR", "£"),
    "JPY": (151.0, "Japanese Yen", "JPN", "¥"),
    "CHF": (0.88, "Swiss Franc", "CHE", None),
    "AZN": (1.7, "Azerbaijani Manat", "AZE", "₼"),
    "PAB": (1.0, "Panamanian Balboa", "PAN", "B/."),
    "PKR": (278.0, "Pakistani Rupee", "PAK", "₨"),
}
_LARGEST_PAGE = 100

_ERRORS = {
    400: ("Bad request", "Your request is invalid."),
    401: (
        "Unauthorized",
        "The requester is not authorized to access the resource. This is similar to 403 but is used in cases where "
        "authentication is expected but has failed or has not been provided.",
    ),
    # Not recorded anywhere: what LCW really sends when the day's credits are gone.
    402: ("Payment Required", "Your daily credits are used up."),
    404: ("Not Found", "The specified resource could not be found."),
    405: ("Method Not Available.", "You tried to access a resource with an invalid method."),
    429: ("Too Many Requests", "You're requesting too many resources! Slow down!"),
    500: ("Internal Server Error", "We had a problem with our server. Try again later."),
    503: ("Service Unavailable", "We're temporarily offline for maintenance. Please try again later."),
}


class ApiError(Exception):
    """A response with an error object. `code` is the HTTP status as well."""

    def __init__(self, code: int, description: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        status, usual = _ERRORS.get(code, ("Error", "Something went wrong."))
        self.document = {"error": {"code": code, "status": status, "description": description or usual}}


@dataclass(frozen=True)
class ApiRequest:
    """The fields of a request, its market, and its time."""

    shown: Aggregate
    fields: dict[str, Any]
    now: datetime
    credits_left: int
    credits_per_day: int

    @property
    def minute(self) -> int:
        return int(self.now.timestamp()) // 60

    @property
    def meta(self) -> bool:
        return self.fields.get("meta") in (True, "true")

    @property
    def units(self) -> float:
        """Units of the request's currency for one USD."""
        currency = self.fields.get("currency", "USD")
        if currency in FIATS:
            return FIATS[currency][0]
        return 1 / self.shown.rate(self.coin(currency), self.minute)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number, not negative, as a number or as a string of digits."""
        value = self.fields.get(name, default)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ApiError(400)
        return value

    def coin(self, code: Any) -> Listing:
        coin = self.shown.market.find(code, self.minute) if isinstance(code, str) else None
        if coin is None:
            raise ApiError(400, "Unknown coin code.")
        return coin

    def window(self, limit: int) -> slice:
        """`offset` and `limit`. Whether LCW cuts a `limit` above 100 or refuses it is not known; this one cuts."""
        offset = self.whole("offset", 0)
        return slice(offset, offset + min(self.whole("limit", limit) or limit, _LARGEST_PAGE))

    def sorted_by(self, usual: str, allowed: Sequence[str]) -> tuple[str, bool]:
        """What to sort by, and whether the largest come first."""
        sort, order = self.fields.get("sort", usual), self.fields.get("order", "ascending")
        if sort not in allowed or order not in ("ascending", "descending"):
            raise ApiError(400)
        return sort, order == "descending"

    def metadata(self, coin: Listing, rank: int | None = None) -> dict[str, Any]:
        """What the request's `meta` adds; without it, nothing."""
        if not self.meta:
            return {}
        return coins.metadata(self.shown, coin, self.minute, rank or self.shown.rank(coin, self.minute))

    def coin_document(self, coin: Listing, rank: int | None = None, *, alone: bool = False) -> dict[str, Any]:
        """As in a list; `alone` adds what only the endpoints for a single coin have."""
        quote = coins.quote(self.shown, coin, self.minute, self.units)
        document = {**self.metadata(coin, rank), "code": coin.code, **quote}
        if alone:
            document["liquidity"] = coins.liquidity(self.shown, coin, self.minute, self.units)
        return document

    def span(self) -> tuple[int, int]:
        """`start` and `end`, UNIX milliseconds."""
        start, end = self.whole("start"), self.whole("end")
        if start > end:
            raise ApiError(400)
        return start, end
