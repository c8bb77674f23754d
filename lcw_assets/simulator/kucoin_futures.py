"""KuCoin Futures, simulated: contracts on coins of the market, envelope, rate limit, and its own faults.

A contract has a place. Most keep theirs for ever; some are delisted and come back, some are replaced by another coin's,
some pause, and one whose coin dies goes with it. With 500 places something happens every few minutes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.market import DAY, YEAR_2026, Listing, Market
from lcw_assets.simulator.noise import uniform
from lcw_assets.simulator.provider import Cache, Option, Provider, RateLimit, Request, Response, to_json
from lcw_assets.simulator.venue import Venue, tick_digits

NAME = "kucoin_futures"
ENDPOINT = "api/v1/contracts/active"

_WEIGHT = 3
_WINDOW_S = 30
_FUNDING_MS = 28_800_000

# One contract is settled in its coin, the first one; the others are settled in their quote currency.
_INVERSE = 5
# Contracts on these places stay as they are.
_STEADY = 20
# Of the others. Multiples of the golden ratio spread them evenly, so that few contracts have some of each as well.
_RETURNING, _REPLACED, _PAUSING = 0.03, 0.03, 0.02
_GOLDEN = 0.6180339887


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that is listed, since a minute."""

    place: int
    coin: Listing
    quote: str
    since: int
    paused: bool

    @property
    def base(self) -> str:
        return "XBT" if self.coin.slot == 0 else str(self.coin.ticker)

    @property
    def symbol(self) -> str:
        return f"{self.base}{self.quote}M"


class Futures:
    """The contracts of a market, on about so many places: coins against USDT, and where these end, against USDC."""

    def __init__(self, market: Market, contracts: int) -> None:
        self._market = market
        self._contracts = contracts
        self._venue = Venue(market, NAME, contracts)
        most = 2 * self._venue.most_places
        if contracts > most:
            raise ValueError(f"the market has no coins for {contracts} contracts: {most} at most")

    def listed(self, minute: int) -> Iterator[Contract]:
        return filter(None, (self.at(place, minute) for place in range(self._contracts)))

    def at(self, place: int, minute: int) -> Contract | None:
        """The contract in a place, if one is listed."""
        seed, turn, paused = self._market.seed, 0, False
        since = YEAR_2026 - DAY * (30 + 769 * place % 2_000)
        kind = (uniform(seed, "futures kinds") + _GOLDEN * place) % 1.0 if place >= _STEADY else 1.0
        if kind < _RETURNING + _REPLACED + _PAUSING:
            period = 30 + int(300 * uniform(seed, "futures period", place))
            turn, elapsed = divmod(minute + int(period * uniform(seed, "futures phase", place)), period)
            if kind < _RETURNING and turn % 2:
                return None
            if kind < _RETURNING + _REPLACED:
                turn, since = 0 if kind < _RETURNING else turn, minute - elapsed
            else:
                turn, paused = 0, elapsed < 5
        if place == _INVERSE:
            quote, coin = "USD", self._venue.coin(0, minute)
        else:
            round_, number = divmod(place - (place > _INVERSE), self._venue.most_places)
            quote, coin = ("USDT", "USDC")[round_], self._venue.coin(number, minute, turn)
        if coin is None:
            return None
        return Contract(place, coin, quote, max(since, coin.listed_at), paused)

    def document(self, contract: Contract, minute: int) -> str:
        """A contract as JSON text, in the forms of real responses: E notation, trailing zeros, text for numbers."""
        market, place, coin = self._market, contract.place, contract.coin
        digits, terms = _terms(market, contract)
        index = self._venue.price(coin, minute, contract.quote)
        mark = index * (1 + 1e-4 * math.sin(minute / 19 + place))
        before = market.price(coin, minute - DAY) / market.usd_per(contract.quote, minute - DAY)
        turnover = 6e-4 * market.cap(coin.slot, minute) * (1 + 0.1 * math.sin(minute / 97 + place))
        lots = int(0.6 * turnover / mark / 10 ** (digits - 3) * (1 + 0.2 * math.sin(minute / 211 + place)))
        hour = (minute + 60 * place) // 480
        rate, predicted = (3e-4 * (_GOLDEN * (later + 0.37 * place) % 1.0 - 0.4) for later in (hour, hour + 1))
        risk = 1 + ((minute + 37 * place) // 2880 + place) % 9
        left_ms = _FUNDING_MS - minute * 60_000 % _FUNDING_MS - place % 97
        return (
            f'{{{terms},"firstOpenDate":{contract.since * 60_000},"maxRiskLimit":{100_000 * risk},'
            f'"status":"{"Paused" if contract.paused else "Open"}",'
            f'"fundingFeeRate":{rate:.6f},"predictedFundingFeeRate":{predicted:.1E},"openInterest":"{lots}",'
            f'"turnoverOf24h":{turnover:.4f},"volumeOf24h":{turnover / mark:.5E},"markPrice":{mark:.8g},'
            f'"indexPrice":{index:.8g},"lastTradePrice":{round((mark + index) / 2, digits):.{max(10, digits)}f},'
            f'"nextFundingRateTime":{left_ms},'
            f'"lowPrice":{min(mark, before) * 0.99:.6g},"highPrice":{max(mark, before) * 1.01:.6g},'
            f'"priceChgPct":{mark / before - 1:.4f},"priceChg":{mark - before:.6g},'
            f'"buyLimit":{index * 1.05:.8g},"sellLimit":{index * 0.95:.8g}}}'
        )


@lru_cache(maxsize=60_000)
def _terms(market: Market, contract: Contract) -> tuple[int, str]:
    """What does not move: decimals of a price, and fields. Symbols of indices are null or empty, as in real ones."""
    base, quote, symbol, inverse = contract.base, contract.quote, contract.symbol, contract.place == _INVERSE
    settle = base if inverse else quote
    digits = tick_digits(market, contract.coin)
    leverage = (20, 50, 75, 100, 125)[7 * contract.place // 3 % 5]
    flags = {"isDeleverage": True, "isQuanto": not inverse, "isInverse": inverse, "supportCross": True}
    names = {
        "symbol": symbol, "rootSymbol": settle, "type": "FFWCSX", "baseCurrency": base, "quoteCurrency": quote,
        "settleCurrency": settle, "markMethod": "FairPrice", "fairMethod": "FundingRate",
        "fundingBaseSymbol": f".{base}INT8H", "fundingQuoteSymbol": f".{quote}INT8H",
        "fundingRateSymbol": f".{symbol}FPI8H", "indexSymbol": f".K{base}{quote}", "premiumsSymbol1M": f".{symbol}PI",
        "premiumsSymbol8H": f".{symbol}PI8H", "fundingBaseSymbol1M": f".{base}INT",
        "fundingQuoteSymbol1M": f".{quote}INT",
    }  # fmt: skip
    return digits, ",".join(
        (
            *(f'"{name}":"{value}"' for name, value in names.items()),
            *(f'"{name}":{str(value).lower()}' for name, value in flags.items()),
            '"expireDate":null,"settleDate":null,"settlementFee":null',
            f'"settlementSymbol":{"null" if contract.place % 2 else chr(34) * 2}',
            f'"maxOrderQty":1000000,"maxPrice":1000000.0000000000,"lotSize":1,"tickSize":1.0E-{digits}',
            f'"indexPriceTickSize":1E-{digits + 2},"multiplier":{-1.0 if inverse else f"1.0E{digits - 3}"}',
            f'"initialMargin":{1 / leverage:.4f},"maintainMargin":{0.5 / leverage:.4f}',
            '"minRiskLimit":100000,"riskStep":50000,"makerFeeRate":2.0E-4,"takerFeeRate":0.00060',
            '"takerFixFee":0.0000000000,"makerFixFee":0.0000000000',
            f'"fundingRateGranularity":{_FUNDING_MS},"maxLeverage":{leverage}',
            '"sourceExchanges":["okex","binance","kucoin","bybit","bitmart","gateio"]',
            f'"k":490.0,"m":300.0,"f":1.3,"mmrLimit":0.3,"mmrLevConstant":{leverage}.0',
        )
    )


def _lose_field(documents: list[str]) -> list[str]:
    return [
        re.sub(r'"maxLeverage":\d+,', "", document) if uniform("lost", place) < 0.1 else document
        for place, document in enumerate(documents)
    ]


# Its own faults: what each makes of the contracts. `wrong_shape` has an object in place of the list.
_SPOILED: dict[str, Callable[[list[str]], list[str]]] = {
    "empty": lambda _: [],
    "half": lambda documents: documents[: len(documents) // 2],
    "repeated": lambda documents: documents + documents[:5],
    "renamed": lambda documents: [one.replace('"takerFeeRate"', '"takerFee"') for one in documents],
    "lost_field": _lose_field,
}


class KuCoinFutures:
    """The endpoint over about so many `contracts`. `kucoin_limit` is the weight that 30 s allow; a call has 3."""

    def __init__(self, market: Market, *, contracts: int = 500, kucoin_limit: int = 2000) -> None:
        self._futures = Futures(market, contracts)
        self._limit = RateLimit(kucoin_limit, _WINDOW_S)
        self._cache = Cache()

    def respond(self, request: Request, fault: str) -> Response:
        """The headers have the rate limit; the 429 of an overloaded server, which is a fault, has none."""
        if request.path != ENDPOINT:
            return _refusal(404, "404000", "Url Not Found")
        if request.method != "GET":
            return _refusal(405, "405000", "Method not allowed")
        allowed = self._limit.spend(request.now, _WEIGHT)
        headers = {
            "gw-ratelimit-limit": str(self._limit.limit),
            "gw-ratelimit-remaining": str(self._limit.remaining(request.now)),
            "gw-ratelimit-reset": str(int(1000 * self._limit.reset_s(request.now))),
        }
        if not allowed:
            message = "Too many requests in a short period of time, please retry later"
            return _refusal(429, "429000", message, headers)
        if fault == "none":
            body = self._cache.get(request.minute, ENDPOINT, lambda: _envelope(self._documents(request.minute)))
            return Response(200, body, headers)
        documents = self._documents(request.minute)
        if fault == "wrong_shape":
            body = to_json({"code": "200000", "data": {"contracts": len(documents)}})
        else:
            body = _envelope(_SPOILED[fault](documents))
        return Response(200, body, headers, usable=fault == "repeated")

    def error(self, status: int) -> Response:
        return _refusal(status, f"{status}000", "Too many requests" if status == 429 else "Service error")

    def _documents(self, minute: int) -> list[str]:
        return [self._futures.document(contract, minute) for contract in self._futures.listed(minute)]


def _envelope(documents: list[str]) -> bytes:
    return f'{{"code":"200000","data":[{",".join(documents)}]}}'.encode()


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(status, to_json({"code": code, "msg": message}), headers or {}, usable=False)


def odd(draw: Draw) -> Fault:
    """One in four of KuCoin's responses has a fault; those of others have none."""
    if draw.provider != NAME:
        return Fault()
    dice = draw.chance("odd")
    if dice < 0.24:
        return Fault(("half", "empty", "renamed", "lost_field", "repeated", "truncated")[int(dice / 0.04)])
    return Fault("error", status=429) if dice < 0.26 else Fault()


PROVIDER = Provider(
    name=NAME,
    title="KuCoin Futures",
    setting="KUCOIN_FUTURES_BASE_URL",
    service=KuCoinFutures,
    roots=("api/v1/contracts",),
    options=(
        Option("contracts", int, "futures contracts, about (500)"),
        Option("kucoin_limit", int, "the weight that 30 s allow; a call has 3 (2000)"),
    ),
    faults=frozenset({*_SPOILED, "wrong_shape"}),
    profiles={"kucoin-odd": odd},
)
