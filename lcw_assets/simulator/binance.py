"""Binance, simulated: statistics of 24 hours, of the markets that are requested or of all; weights, and bans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from lcw_assets.simulator.books import Book
from lcw_assets.simulator.provider import Request, Response
from lcw_assets.simulator.spot import CLOSED, Query, Spot, day_before, milliseconds, provider, refuse, turnover

# A market that was delisted long ago is in the list for ever.
_DEAD = Book("DAI", "USDT", *["0.00000000"] * 4)


class Binance(Spot):
    name = "binance"
    endpoint = "api/v3/ticker/24hr"
    list_endpoint = "api/v3/exchangeInfo"
    limit = (6000, 60)
    delisted = "zeros"

    def weight(self, request: Request) -> int:
        if request.path == self.list_endpoint:
            return 20
        wanted = parse_qs(request.query).get("symbols", [""])[0].count(",") + 1 if "symbols=" in request.query else 0
        return 2 if 0 < wanted <= 20 else 40 if 0 < wanted <= 100 else 80

    def headers(self, now: datetime) -> dict[str, str]:
        return {"x-mbx-used-weight-1m": str(self.rate.limit - self.rate.remaining(now))}

    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        dead = [] if query.fault == "empty" else [_DEAD]
        rows = {f"{book.ticker}USDT": _row(book, query.at) for book in [*books, *dead]}
        if "symbols" not in query.parameters:
            return list(rows.values())
        wanted = json.loads(query.parameters["symbols"])
        if any(name not in rows for name in wanted) and query.fault != "empty":
            return refuse(400, {"code": -1121, "msg": "Invalid symbol."})
        return [rows[name] for name in sorted(rows.keys() & wanted)]

    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        symbols = [_symbol(book.ticker, "TRADING") for book in books]
        if query.parameters.get("symbolStatus") != "TRADING" and query.fault != "empty":
            symbols += [_symbol(name, "BREAK") for name in (CLOSED, _DEAD.ticker)]
        if query.parameters.get("showPermissionSets") != "false":
            symbols = [
                {**one, "permissionSets": [["SPOT", *(f"TRD_GRP_{n:03}" for n in range(200))]]} for one in symbols
            ]
        return {
            "timezone": "UTC", "serverTime": milliseconds(query.at), "rateLimits": [], "exchangeFilters": [],
            "symbols": symbols,
        }  # fmt: skip

    def refusal(self, kind: str, now: datetime) -> Response:
        if kind == "country":
            said = "Service unavailable from a restricted location according to 'b. Eligibility'."
            return refuse(451, {"code": 0, "msg": said})
        if kind == "busy":
            return refuse(503, {"code": -1008, "msg": "Server is currently overloaded with other requests."})
        status, seconds = (418, "120") if kind == "ban" else (429, str(int(self.rate.reset_s(now)) + 1))
        said = "Way too much request weight used; please use the websocket for live updates."
        return refuse(status, {"code": -1003, "msg": said}, {"Retry-After": seconds, **self.headers(now)})

    def error(self, status: int) -> Response:
        if status in (418, 429):
            return refuse(status, {"code": -1003, "msg": "Too many requests"})
        return refuse(status, {"code": -1000, "msg": "An unknown error occurred while processing the request."})


def _row(book: Book, at: datetime) -> dict[str, Any]:
    return {
        "symbol": f"{book.ticker}USDT", "priceChange": "1.0", "priceChangePercent": "1.010",
        "weightedAvgPrice": book.last, "prevClosePrice": day_before(book), "lastPrice": book.last,
        "lastQty": "0.01100000", "bidPrice": book.bid, "bidQty": "38.52350000", "askPrice": book.ask,
        "askQty": "39.82790000", "openPrice": day_before(book), "highPrice": book.ask, "lowPrice": day_before(book),
        "volume": book.volume, "quoteVolume": turnover(book),
        "openTime": milliseconds(at - timedelta(days=1)), "closeTime": milliseconds(at), "firstId": 499411732,
        "lastId": 499433625, "count": 21894,
    }  # fmt: skip


def _symbol(base: str, status: str) -> dict[str, Any]:
    return {
        "symbol": f"{base}USDT", "status": status, "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset": "USDT",
        "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8, "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True, "ocoAllowed": True, "otoAllowed": True, "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True, "cancelReplaceAllowed": True, "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        "permissions": [], "permissionSets": [], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }  # fmt: skip


PROVIDER = provider(Binance, "Binance", "BINANCE")
