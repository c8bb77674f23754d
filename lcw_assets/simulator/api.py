"""Live Coin Watch's endpoints, as its documentation and recorded answers describe them: requests in, documents out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lcw_assets.simulator import coins, exchanges, history
from lcw_assets.simulator.market import Listing, Market
from lcw_assets.simulator.names import name_of
from lcw_assets.simulator.question import FIATS, ApiError, Question

_PLATFORMS = {"ETH": "Ethereum", "BSC": "BNB Smart Chain", "SOL": "Solana", "MATIC": "Polygon", "TRX": "Tron (TRC20)"}


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
        return ENDPOINTS[path](Question(self.market, request, now, self.credits_left(now), self.credits_per_day))

    def credits_left(self, now: datetime) -> int:
        return max(0, self.credits_per_day - self._spent.get(now.date().isoformat(), 0))


def _status(_: Question) -> Any:
    return {}


def _credits(ask: Question) -> Any:
    return {"dailyCreditsRemaining": ask.credits_left, "dailyCreditsLimit": ask.credits_per_day}


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
        for code, (_units, name, country, symbol) in FIATS.items()
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
