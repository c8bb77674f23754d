"""Live Coin Watch's endpoints, as its documentation and recorded answers describe them: requests in, documents out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lcw_assets.simulator import coins, exchanges, history
from lcw_assets.simulator.market import Listing, Market
from lcw_assets.simulator.names import name_of

# Units for one USD. Any listed coin's code is a currency too.
_FIATS = {
    "USD": (1.0, "United States Dollar", "USA", "$"),
    "EUR": (0.92, "Euro", "DEU", "€"),
    "GBP": (0.79, "British Pound", "GBR", "£"),
    "JPY": (151.0, "Japanese Yen", "JPN", "¥"),
    "CHF": (0.88, "Swiss Franc", "CHE", None),
    "AZN": (1.7, "Azerbaijani Manat", "AZE", "₼"),
    "PAB": (1.0, "Panamanian Balboa", "PAN", "B/."),
    "PKR": (278.0, "Pakistani Rupee", "PAK", "₨"),
}
_PLATFORMS = {"ETH": "Ethereum", "BSC": "BNB Smart Chain", "SOL": "Solana", "MATIC": "Polygon", "TRX": "Tron (TRC20)"}
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
    """An answer with an error object. `code` is the HTTP status as well."""

    def __init__(self, code: int, description: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        status, usual = _ERRORS[code]
        self.document = {"error": {"code": code, "status": status, "description": description or usual}}


@dataclass
class Api:
    """The endpoints over one market. With an `api_key`, everything but `status` asks for it."""

    market: Market
    api_key: str | None = None
    credits_per_day: int = 10_000
    _spent: dict[str, int] = field(default_factory=dict)

    def admit(self, method: str, path: str, headers: Mapping[str, str], now: datetime) -> None:
        """Method, path, key and credits, in that order. A call costs a credit; `status` is free."""
        if method != "POST":
            raise ApiError(405)
        if path not in ENDPOINTS:
            raise ApiError(404)
        if path == "status":
            return
        if self.api_key is not None and headers.get("x-api-key") != self.api_key:
            raise ApiError(401)
        if not self.credits_left(now):
            raise ApiError(402)
        self._spent[now.date().isoformat()] = self._spent.get(now.date().isoformat(), 0) + 1

    def answer(self, path: str, body: bytes, now: datetime) -> Any:
        """The document for one admitted request at `now`. Raises `ApiError`."""
        try:
            request = json.loads(body) if body.strip() else {}
        except ValueError:
            raise ApiError(400) from None
        if not isinstance(request, dict):
            raise ApiError(400)
        return ENDPOINTS[path](Question(self, request, now))

    def credits_left(self, now: datetime) -> int:
        return max(0, self.credits_per_day - self._spent.get(now.date().isoformat(), 0))


@dataclass(frozen=True)
class Question:
    """A request's fields, read as leniently as LCW reads them, and no more so."""

    api: Api
    request: dict[str, Any]
    now: datetime

    @property
    def market(self) -> Market:
        return self.api.market

    @property
    def minute(self) -> int:
        return int(self.now.timestamp()) // 60

    @property
    def meta(self) -> bool:
        return self.request.get("meta") in (True, "true")

    @property
    def units(self) -> float:
        """Units of the asked currency for one USD."""
        currency = self.request.get("currency", "USD")
        if currency in _FIATS:
            return _FIATS[currency][0]
        return 1 / self.market.rate(self.coin(currency), self.minute)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number, not negative, as a number or as a string of digits."""
        value = self.request.get(name, default)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ApiError(400)
        return value

    def coin(self, code: Any) -> Listing:
        coin = self.market.find(code, self.minute) if isinstance(code, str) else None
        if coin is None:
            raise ApiError(400, "Unknown coin code.")
        return coin

    def window(self, limit: int) -> slice:
        """`offset` and `limit`. Whether LCW cuts a `limit` above 100 or refuses it is not known; this one cuts."""
        offset = self.whole("offset", 0)
        return slice(offset, offset + min(self.whole("limit", limit) or limit, _LARGEST_PAGE))

    def sorted_by(self, usual: str, allowed: Sequence[str]) -> tuple[str, bool]:
        """What to sort by, and whether the largest come first."""
        sort, order = self.request.get("sort", usual), self.request.get("order", "ascending")
        if sort not in allowed or order not in ("ascending", "descending"):
            raise ApiError(400)
        return sort, order == "descending"

    def coin_document(self, coin: Listing, rank: int | None = None, *, alone: bool = False) -> dict[str, Any]:
        """As in a list; `alone` adds what only the endpoints for a single coin tell."""
        document: dict[str, Any] = {}
        if self.meta:
            document |= coins.profile(self.market, coin, self.minute, rank or self.market.rank(coin, self.minute))
        document |= {"code": coin.code, **coins.quote(self.market, coin, self.minute, self.units)}
        if alone:
            document["liquidity"] = coins.liquidity(self.market, coin, self.minute, self.units)
        return document

    def span(self) -> tuple[int, int]:
        """`start` and `end`, UNIX milliseconds."""
        start, end = self.whole("start"), self.whole("end")
        if start > end:
            raise ApiError(400)
        return start, end


def _status(_: Question) -> Any:
    return {}


def _credits(ask: Question) -> Any:
    return {"dailyCreditsRemaining": ask.api.credits_left(ask.now), "dailyCreditsLimit": ask.api.credits_per_day}


def _overview(ask: Question) -> Any:
    return history.overview(ask.market, ask.minute, ask.units)


def _overview_history(ask: Question) -> Any:
    return history.overview_points(ask.market, *ask.span(), ask.minute, ask.units)


def _coins_single(ask: Question) -> Any:
    document = ask.coin_document(ask.coin(ask.request.get("code")), alone=True)
    del document["code"]
    return document


def _coins_single_history(ask: Question) -> Any:
    coin = ask.coin(ask.request.get("code"))
    described = coins.profile(ask.market, coin, ask.minute, ask.market.rank(coin, ask.minute)) if ask.meta else {}
    points = history.coin_points(ask.market, coin, *ask.span(), ask.minute, ask.units)
    return {**described, "history": points}


def _coins_list(ask: Question) -> Any:
    sort, descending = ask.sorted_by("rank", ("rank", "price", "volume", "code", "name", "age"))
    window = ask.window(10)
    if sort == "rank" and not descending:
        listed = ask.market.ranked(window.start + 1, window.stop, ask.minute)
        return [ask.coin_document(coin, window.start + place) for place, coin in enumerate(listed, 1)]
    listed = sorted(ask.market.all_ranked(ask.minute), key=_order(ask, sort), reverse=descending)[window]
    return [ask.coin_document(coin) for coin in listed]


def _coins_map(ask: Question) -> Any:
    codes = ask.request.get("codes")
    if not isinstance(codes, list):
        raise ApiError(400)
    sort, descending = ask.sorted_by("rank", ("rank", "price", "volume", "code", "name", "age"))
    found = [ask.market.find(code, ask.minute) for code in dict.fromkeys(codes) if isinstance(code, str)]
    listed = sorted([coin for coin in found if coin], key=_order(ask, sort), reverse=descending)
    return [ask.coin_document(coin) for coin in listed[ask.window(len(codes))]]


def _coins_contract(ask: Question) -> Any:
    """Every coin has one contract here, whose address is its code in hexadecimal: `0x` + `ETH`.encode().hex()."""
    address = ask.request.get("address")
    if ask.request.get("platform") not in _PLATFORMS or not isinstance(address, str):
        raise ApiError(400)
    try:
        code = bytes.fromhex(address.removeprefix("0x")).decode()
    except ValueError:
        raise ApiError(400, "Unknown coin code.") from None
    return ask.coin_document(ask.coin(code), alone=True)


def _fiats_all(_: Question) -> Any:
    return [
        {"code": code, "countries": [country], "flag": country, "name": name, **({"symbol": symbol} if symbol else {})}
        for code, (_units, name, country, symbol) in _FIATS.items()
    ]


def _platforms_all(_: Question) -> Any:
    return [{"code": code, "name": name} for code, name in _PLATFORMS.items()]


def _exchanges_single(ask: Question) -> Any:
    code = ask.request.get("code")
    if code not in exchanges.CODES:
        raise ApiError(400, "Unknown exchange code.")
    return exchanges.exchange(ask.market, code, ask.minute, ask.units, ask.meta)


def _exchanges_list(ask: Question) -> Any:
    sort, descending = ask.sorted_by("volume", ("volume", "liquidity", "code", "name", "visitors"))
    column = {"liquidity": "depth", "name": "code"}.get(sort, sort)
    every = [exchanges.exchange(ask.market, code, ask.minute, ask.units, ask.meta) for code in exchanges.CODES]
    return sorted(every, key=lambda document: document[column], reverse=descending)[ask.window(50)]


def _order(ask: Question, sort: str) -> Callable[[Listing], Any]:
    market, minute = ask.market, ask.minute
    return {
        "rank": lambda coin: -market.cap(coin.slot, minute),
        "price": lambda coin: market.rate(coin, minute),
        "volume": lambda coin: coins.quote(market, coin, minute, 1.0)["volume"],
        "code": lambda coin: coin.code,
        "name": lambda coin: name_of(coin.code),
        "age": lambda coin: minute - coin.listed_at,
    }[sort]


ENDPOINTS: dict[str, Callable[[Question], Any]] = {
    "status": _status,
    "credits": _credits,
    "overview": _overview,
    "overview/history": _overview_history,
    "coins/single": _coins_single,
    "coins/single/history": _coins_single_history,
    "coins/list": _coins_list,
    "coins/map": _coins_map,
    "coins/contract": _coins_contract,
    "fiats/all": _fiats_all,
    "platforms/all": _platforms_all,
    "exchanges/single": _exchanges_single,
    "exchanges/list": _exchanges_list,
}
