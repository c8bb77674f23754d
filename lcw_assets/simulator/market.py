"""The hidden market: 32,000 coins whose every value is a pure function of (seed, coin, moment).

Whatever a provider lists or quotes is derived from it, so a coin has the same price everywhere, except for what the
provider does to it; every process sees the same market, a test can compute any moment, and nothing has to be kept.
Ranking 32,000 coins for each page of 100 would cost a second, so the market is built to be ranked locally: coins sit in
*slots* of a fixed capitalisation around which they wander by a bounded amount, hence a rank is always near its slot.

A minute is counted from the UNIX epoch; where it is a float, its fraction is the seconds. All money is in USD.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from lcw_assets.simulator.names import GENERATIONS, LEADERS, code_of, place_of, ticker_of
from lcw_assets.simulator.noise import uniform, walk

COINS = 32_000
DAY = 1440
YEAR_2026 = 20454 * DAY

# The smallest 500 are long dead: there are no trades.
_TRADED = COINS - 500

# Capitalisation by rank: roughly the real market's shape.
_CAPS = ((1, 2.4e12), (2, 4.6e11), (10, 3e10), (100, 1e9), (1_000, 3e7), (10_000, 4e5), (COINS, 2e4))

# (period in minutes, height in log units): how one coin wanders around its slot, and how all of them do together.
_COIN_WALK = ((7, 0.004), (60, 0.012), (DAY, 0.018), (7 * DAY, 0.016))
_MARKET_WALK = ((11, 0.002), (90, 0.008), (2_000, 0.03), (20_000, 0.12), (200_000, 0.5))
_PEG_WALK = ((7, 0.0002), (90, 0.0003), (2_000, 0.0007))
_HIGHEST_WALK = math.exp(sum(height for _, height in _COIN_WALK + _MARKET_WALK))
_HIGHEST_PEG = math.exp(sum(height for _, height in _PEG_WALK))

_LEADERS = tuple(LEADERS.values())
_SLOTS = {code: slot for slot, code in enumerate(LEADERS)}


@dataclass(frozen=True, slots=True)
class Listing:
    """A coin: its slot, and its number among the coins that take turns there."""

    slot: int
    generation: int
    listed_at: int

    @property
    def code(self) -> str:
        return code_of(self.slot, self.generation)

    @property
    def ticker(self) -> str | None:
        """On exchanges; `None` if none would list it."""
        return ticker_of(self.slot, self.generation)


@dataclass(frozen=True)
class Market:
    """The market of one seed."""

    seed: int = 1

    def listing(self, slot: int, minute: int) -> Listing:
        """The coin in `slot`. In about 3 % of the slots a coin dies every few hours and another is listed."""
        steady = _steady(self.seed, slot)
        if steady:
            return steady
        key = (self.seed, "churn", slot)
        period = 180 + int(2_700 * uniform(*key, "period"))
        turn, since = divmod(minute + int(period * uniform(*key, "phase")), period)
        return Listing(slot, turn % GENERATIONS, minute - since)

    def find(self, code: str, minute: int) -> Listing | None:
        """The coin with this code, if it is listed at `minute`."""
        place = place_of(code)
        if place is None or place[0] >= COINS:
            return None
        listing = self.listing(place[0], minute)
        return listing if listing.generation == place[1] else None

    def traded(self, coin: Listing) -> bool:
        """Is there a price? A coin may be listed long after its last trade."""
        return coin.slot < _TRADED

    def price(self, coin: Listing, minute: float) -> float:
        """The true price, at any second: continuous, and what each provider's prices derive from."""
        return self._price(coin.slot, minute)

    def usd_per(self, currency: str, minute: float) -> float:
        """The price of what prices are quoted in: USD itself, or a leader by its code, such as USDT."""
        return 1.0 if currency == "USD" else self._price(_SLOTS[currency], minute)

    def usual_price(self, coin: Listing) -> float:
        """The level around which the price moves, over years by up to a factor of ten."""
        return _slot_cap(coin.slot) / _supply(self.seed, coin.slot)[0]

    def highest_price(self, coin: Listing) -> float:
        """No price is ever above this: all walks at their top, the supply at its lowest."""
        peg, highest = _peg(coin.slot), self.usual_price(coin) * math.exp(_supply(self.seed, coin.slot)[1])
        return highest * (1.0 if peg == "USD" else _HIGHEST_WALK) * (_HIGHEST_PEG if peg else 1.0)

    def cap(self, slot: int, minute: float) -> float:
        return _cap(self.seed, slot, minute)

    def supply(self, coin: Listing, minute: float) -> float:
        """In coins. What is pegged is issued and taken back; the others' supply changes in the last half hour of a day,
        over years by up to a factor of ten: so prices may do what caps may not.
        """
        if _peg(coin.slot):
            return self.cap(coin.slot, minute) / self._price(coin.slot, minute)
        return self._free_supply(coin.slot, minute)

    def total_cap(self, minute: float) -> float:
        """Of the whole market: Bitcoin is around 58 % of it."""
        return _CAPS[0][1] / 0.58 * math.exp(_market_walk(self.seed, minute))

    def _price(self, slot: int, minute: float) -> float:
        peg = _peg(slot)
        if peg:
            return self.usd_per(peg, minute) * _peg_walk(self.seed, slot, minute)
        return _cap(self.seed, slot, minute) / self._free_supply(slot, minute)

    def _free_supply(self, slot: int, minute: float) -> float:
        usual, swing, phase = _supply(self.seed, slot)
        day, rest = divmod(minute / DAY, 1.0)
        season = math.sin(math.tau * (day / 1460 + phase))
        if rest > 47 / 48:
            season += (48 * rest - 47) * (math.sin(math.tau * ((day + 1) / 1460 + phase)) - season)
        return usual * math.exp(-swing * season)


@lru_cache(maxsize=2 * COINS)
def _steady(seed: int, slot: int) -> Listing | None:
    """The coin that has a slot for ever, if one does."""
    if slot >= len(_LEADERS) and uniform(seed, "churn", slot) <= 0.03:
        return None
    age_days = 6206 if slot == 0 else 40 + int(4_500 * uniform(seed, "age", slot))
    return Listing(slot, 0, YEAR_2026 - age_days * DAY)


@lru_cache(maxsize=2 * COINS)
def _supply(seed: int, slot: int) -> tuple[float, float, float]:
    """What it usually is; the height and the phase of its swing, in log units and in turns of four years."""
    if slot < len(_LEADERS):
        return _slot_cap(slot) / _LEADERS[slot].price, 0.0, 0.0
    usual = 10 ** (6 + 9 * uniform(seed, "supply", slot))
    return usual, 2.3 * uniform(seed, "supply swing", slot) ** 4, uniform(seed, "supply phase", slot)


def _peg(slot: int) -> str | None:
    return _LEADERS[slot].peg if slot < len(_LEADERS) else None


@lru_cache(maxsize=200_000)
def _cap(seed: int, slot: int, minute: float) -> float:
    coin_walk = walk(minute, _COIN_WALK, seed, "coin", slot)
    return _slot_cap(slot) * math.exp(coin_walk + _market_walk(seed, minute))


@lru_cache(maxsize=10_000)
def _market_walk(seed: int, minute: float) -> float:
    return walk(minute, _MARKET_WALK, seed, "market")


@lru_cache(maxsize=10_000)
def _peg_walk(seed: int, slot: int, minute: float) -> float:
    return math.exp(walk(minute, _PEG_WALK, seed, "peg", slot))


@lru_cache(maxsize=COINS)
def _slot_cap(slot: int) -> float:
    """Between its neighbours in `_CAPS`, on straight lines in log-log."""
    rank = slot + 1
    right = min(bisect_right([at for at, _ in _CAPS], rank), len(_CAPS) - 1)
    (rank0, cap0), (rank1, cap1) = _CAPS[right - 1 : right + 1]
    share = math.log(rank / rank0) / math.log(rank1 / rank0)
    return cap0 * math.pow(cap1 / cap0, share)
