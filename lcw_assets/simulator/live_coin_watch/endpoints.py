"""The endpoints, as the documentation and recorded responses describe them: requests in, documents out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lcw_assets.simulator.live_coin_watch import coins, exchanges, history
from lcw_assets.simulator.live_coin_watch.request import FIATS, ApiError, ApiRequest
from lcw_assets.simulator.market import Listing
from lcw_assets.simulator.names import name_of

_PLATFORMS = {"ETH": "Ethereum", "BSC": "BNB Smart Chain", "SOL": "Solana", "MATIC": "Polygon", "TRX": "Tron (TRC20)"}


def _status(_: ApiRequest) -> Any:
    return {}


def _credits(request: ApiRequest) -> Any:
    return {"dailyCreditsRemaining": request.credits_left, "dailyCreditsLimit": request.credits_per_day}


def _overview(request: ApiRequest) -> Any:
    return history.overview(request.shown.market, request.minute, request.units)


def _overview_history(request: ApiRequest) -> Any:
    return history.overview_points(request.shown.market, *request.span(), request.minute, request.units)


def _coins_single(request: ApiRequest) -> Any:
    document = request.coin_document(request.coin(request.fields.get("code")), alone=True)
    del document["code"]
    return document


def _coins_single_history(request: ApiRequest) -> Any:
    coin = request.coin(request.fields.get("code"))
    points = history.coin_points(request.shown, coin, *request.span(), request.minute, request.units)
    return {**request.metadata(coin), "history": points}


def _coins_list(request: ApiRequest) -> Any:
    sort, descending = request.sorted_by("rank", ("rank", "price", "volume", "code", "name", "age"))
    window = request.window(10)
    if sort == "rank" and not descending:
        listed = request.shown.ranked(window.start + 1, window.stop, request.minute)
        return [request.coin_document(coin, window.start + place) for place, coin in enumerate(listed, 1)]
    listed = sorted(request.shown.all_ranked(request.minute), key=_order(request, sort), reverse=descending)[window]
    return [request.coin_document(coin) for coin in listed]


def _coins_map(request: ApiRequest) -> Any:
    codes = request.fields.get("codes")
    if not isinstance(codes, list):
        raise ApiError(400)
    sort, descending = request.sorted_by("rank", ("rank", "price", "volume", "code", "name", "age"))
    found = [request.shown.market.find(code, request.minute) for code in dict.fromkeys(codes) if isinstance(code, str)]
    listed = sorted([coin for coin in found if coin], key=_order(request, sort), reverse=descending)
    return [request.coin_document(coin) for coin in listed[request.window(len(codes))]]


def _coins_contract(request: ApiRequest) -> Any:
    """Every coin has one contract here, whose address is its code in hexadecimal: `0x` + `ETH`.encode().hex()."""
    address = request.fields.get("address")
    if request.fields.get("platform") not in _PLATFORMS or not isinstance(address, str):
        raise ApiError(400)
    try:
        code = bytes.fromhex(address.removeprefix("0x")).decode()
    except ValueError:
        raise ApiError(400, "Unknown coin code.") from None
    return request.coin_document(request.coin(code), alone=True)


def _fiats_all(_: ApiRequest) -> Any:
    return [
        {"code": code, "countries": [country], "flag": country, "name": name, **({"symbol": symbol} if symbol else {})}
        for code, (_units, name, country, symbol) in FIATS.items()
    ]


def _platforms_all(_: ApiRequest) -> Any:
    return [{"code": code, "name": name} for code, name in _PLATFORMS.items()]


def _exchanges_single(request: ApiRequest) -> Any:
    code = request.fields.get("code")
    if code not in exchanges.CODES:
        raise ApiError(400, "Unknown exchange code.")
    return _exchange(request, code)


def _exchanges_list(request: ApiRequest) -> Any:
    sort, descending = request.sorted_by("volume", ("volume", "liquidity", "code", "name", "visitors"))
    column = {"liquidity": "depth", "name": "code"}.get(sort, sort)
    every = [_exchange(request, code) for code in exchanges.CODES]
    return sorted(every, key=lambda document: document[column], reverse=descending)[request.window(50)]


def _exchange(request: ApiRequest, code: str) -> dict[str, Any]:
    return exchanges.exchange(request.shown.seed, code, request.minute, request.units, request.meta)


def _order(request: ApiRequest, sort: str) -> Callable[[Listing], Any]:
    shown, minute = request.shown, request.minute
    return {
        "rank": lambda coin: -shown.cap(coin.slot, minute),
        "price": lambda coin: shown.rate(coin, minute),
        "volume": lambda coin: coins.point(shown, coin, minute, 1.0)["volume"],
        "code": lambda coin: coin.code,
        "name": lambda coin: name_of(coin.code),
        "age": lambda coin: minute - coin.listed_at,
    }[sort]


ENDPOINTS: dict[str, Callable[[ApiRequest], Any]] = {
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
