"""The simulated futures market: contracts whose every value is a pure function of (seed, slot, minute).

A slot is a place for a contract. Most keep theirs for ever; some are delisted and come back, some make room for another
symbol, some pause. With 500 slots something happens every few minutes. A minute is an integer, counted from the UNIX
epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from lcw_assets.simulator.names import code_of
from lcw_assets.simulator.noise import uniform, walk

_2026 = 20454 * 1440
_FUNDING_MS = 28_800_000
_PRICES = {"XBT": 95_000.0, "ETH": 3_900.0, "XRP": 2.8, "SOL": 190.0, "DOGE": 0.21}
_WALK = ((7, 0.003), (60, 0.01), (1_440, 0.02), (20_000, 0.2))

# Of the slots beyond the leaders.
_RETURNING, _REPLACED, _PAUSING = 0.03, 0.03, 0.02


@dataclass(frozen=True)
class Listed:
    """A contract that is listed. `since` is the minute; `turn` counts the contracts that its slot had."""

    slot: int
    turn: int
    since: int
    paused: bool

    @property
    def base(self) -> str:
        if self.slot <= len(_PRICES):
            return [*_PRICES, "XBT"][self.slot]
        return code_of(self.slot + 20_000, self.turn % 10).lstrip("_")

    @property
    def inverse(self) -> bool:
        return self.slot == len(_PRICES)

    @property
    def symbol(self) -> str:
        return f"{self.base}USDM" if self.inverse else f"{self.base}USDTM"


@dataclass(frozen=True)
class Futures:
    """The contracts of one seed, in so many slots."""

    seed: int = 1
    slots: int = 500

    def listed(self, minute: int) -> list[Listed]:
        found = (self.at(slot, minute) for slot in range(self.slots))
        return [contract for contract in found if contract]

    def at(self, slot: int, minute: int) -> Listed | None:
        """Who is listed in `slot`, if anybody."""
        age_days = 30 + int(2_000 * uniform(self.seed, "futures age", slot))
        kind = uniform(self.seed, "futures kind", slot) if slot > len(_PRICES) else 1.0
        if kind >= _RETURNING + _REPLACED + _PAUSING:
            return Listed(slot, 0, _2026 - age_days * 1440, paused=False)
        period = 30 + int(300 * uniform(self.seed, "futures period", slot))
        turn, since = divmod(minute + int(period * uniform(self.seed, "futures phase", slot)), period)
        if kind < _RETURNING:
            return None if turn % 2 else Listed(slot, 0, minute - since, paused=False)
        if kind < _RETURNING + _REPLACED:
            return Listed(slot, turn, minute - since, paused=False)
        return Listed(slot, 0, _2026 - age_days * 1440, paused=since < 5)

    def document(self, contract: Listed, minute: int) -> str:
        """A contract as JSON text, in the forms of real answers: E notation, trailing zeros, text for numbers."""
        slot, sign = contract.slot, (self.seed, "futures", contract.slot)
        move = walk(minute, _WALK, *sign)
        mark = (_PRICES.get(contract.base) or 10 ** (6 * uniform(*sign, "price") - 4)) * math.exp(move)
        index = mark * (1 + 2e-4 * (uniform(*sign, "basis", minute) - 0.5))
        before = mark / math.exp(move) * math.exp(walk(minute - 1440, _WALK, *sign))
        volume = 10 ** (4 + 4 * uniform(*sign, "volume")) * (1 + 0.1 * math.sin(minute / 97 + slot))
        lots = int(10 ** (4 + 3 * uniform(*sign, "lots")) * (1 + 0.2 * math.sin(minute / 211 + slot)))
        hour = (minute + 60 * slot) // 480
        rate, predicted = (3e-4 * (uniform(*sign, "funding", hour + later) - 0.4) for later in (0, 1))
        left_ms = _FUNDING_MS - minute * 60_000 % _FUNDING_MS - slot % 97
        return (
            f'{{"symbol":"{contract.symbol}","firstOpenDate":{contract.since * 60_000},{_terms(self.seed, contract)},'
            f'"maxRiskLimit":{100_000 * (1 + int(9 * uniform(*sign, "risk", (minute + 37 * slot) // 2880)))},'
            f'"status":"{"Paused" if contract.paused else "Open"}",'
            f'"fundingFeeRate":{rate:.6f},"predictedFundingFeeRate":{predicted:.1E},"openInterest":"{lots}",'
            f'"turnoverOf24h":{volume * mark:.8f},"volumeOf24h":{volume:.7E},"markPrice":{mark:.8g},'
            f'"indexPrice":{index:.8g},"lastTradePrice":{(mark + index) / 2:.10f},"nextFundingRateTime":{left_ms},'
            f'"lowPrice":{min(mark, before) * 0.99:.6g},"highPrice":{max(mark, before) * 1.01:.6g},'
            f'"priceChgPct":{mark / before - 1:.4f},"priceChg":{mark - before:.6g},'
            f'"buyLimit":{index * 1.05:.8g},"sellLimit":{index * 0.95:.8g}}}'
        )


@lru_cache(maxsize=60_000)
def _terms(seed: int, contract: Listed) -> str:
    """What does not move. The symbols of the indices are null or empty, as in real answers."""
    base, inverse = contract.base, contract.inverse
    quote, settle = ("USD", base) if inverse else ("USDT", "USDT")
    leverage = (20, 50, 75, 100, 125)[int(5 * uniform(seed, "leverage", contract.slot))]
    flags = {"isDeleverage": True, "isQuanto": not inverse, "isInverse": inverse, "supportCross": True}
    names = {
        "rootSymbol": settle, "type": "FFWCSX", "baseCurrency": base, "quoteCurrency": quote, "settleCurrency": settle,
        "markMethod": "FairPrice", "fairMethod": "FundingRate", "fundingBaseSymbol": f".{base}INT8H",
        "fundingQuoteSymbol": f".{quote}INT8H", "fundingRateSymbol": f".{contract.symbol}FPI8H",
        "indexSymbol": f".K{base}{quote}", "premiumsSymbol1M": f".{contract.symbol}PI",
        "premiumsSymbol8H": f".{contract.symbol}PI8H", "fundingBaseSymbol1M": f".{base}INT",
        "fundingQuoteSymbol1M": f".{quote}INT",
    }  # fmt: skip
    return ",".join(
        (
            *(f'"{name}":"{value}"' for name, value in names.items()),
            *(f'"{name}":{str(value).lower()}' for name, value in flags.items()),
            '"expireDate":null,"settleDate":null,"settlementFee":null',
            f'"settlementSymbol":{"null" if contract.slot % 2 else chr(34) * 2}',
            '"maxOrderQty":1000000,"maxPrice":1000000.0000000000,"lotSize":1,"tickSize":1.0E-5',
            f'"indexPriceTickSize":1E-6,"multiplier":{-1.0 if inverse else 0.001}',
            f'"initialMargin":{1 / leverage:.4f},"maintainMargin":{0.5 / leverage:.4f}',
            '"minRiskLimit":100000,"riskStep":50000,"makerFeeRate":2.0E-4,"takerFeeRate":0.00060',
            '"takerFixFee":0.0000000000,"makerFixFee":0.0000000000',
            f'"fundingRateGranularity":{_FUNDING_MS},"maxLeverage":{leverage}',
            '"sourceExchanges":["okex","binance","kucoin","bybit","bitmart","gateio"]',
            f'"k":490.0,"m":300.0,"f":1.3,"mmrLimit":0.3,"mmrLevConstant":{leverage}.0',
        )
    )
