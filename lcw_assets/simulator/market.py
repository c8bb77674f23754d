"""The simulated market: 32,000 coins whose every value is a pure function of (seed, code, minute).

So every process sees the same market, a test can ask for any minute, and nothing has to be kept. Ranking 32,000 coins
for each page of 100 would cost a second, so the market is built to be ranked locally: coins sit in *slots* of a fixed
capitalisation around which they wander by a bounded amount, hence a coin's rank is always near its slot.

A minute is an integer, counted from the UNIX epoch. All money is in USD.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from lcw_assets.simulator.names import GENERATIONS, code_of, place_of, price_around
from lcw_assets.simulator.noise import uniform, walk

COINS = 32_000
DAY = 1440
_2026 = 20454 * DAY

# Capitalisation by rank: roughly the real market's shape.
_CAPS = ((1, 2.4e12), (2, 4.6e11), (10, 3e10), (100, 1e9), (1_000, 3e7), (10_000, 4e5), (COINS, 2e4))

# (period in minutes, height in log units): how one coin wanders around its slot, and how all of them do together.
_COIN_WALK = ((7, 0.004), (60, 0.012), (DAY, 0.018), (7 * DAY, 0.016))
_MARKET_WALK = ((11, 0.002), (90, 0.008), (2_000, 0.03), (20_000, 0.12), (200_000, 0.5))
_HIGHEST_WALK = math.exp(sum(height for _, height in _COIN_WALK + _MARKET_WALK))
# Two coins can cross only if their slots' log caps differ by less than twice the coin heights, plus what the market
# moves within the longest update period (0.014). The flattest stretch of _CAPS falls 1.47 per unit of log rank.
_REACH = math.exp((2 * 0.05 + 0.014) / 1.47)

_UPDATE_PERIODS = (1, 1, 2, 3, 5, 10, 15, 30)  # minutes


@dataclass(frozen=True)
class Listing:
    """A coin: the slot it sits in, and which of the coins that take turns there it is."""

    slot: int
    generation: int
    listed_at: int

    @property
    def code(self) -> str:
        return code_of(self.slot, self.generation)


@dataclass(frozen=True)
class Market:
    """The market of one seed."""

    seed: int = 1

    def listing(self, slot: int, minute: int) -> Listing:
        """Who sits in `slot`. In about 3 % of the slots a coin dies every few hours and another is listed."""
        key = (self.seed, "churn", slot)
        if slot < 20 or uniform(*key) > 0.03:
            age_days = 6206 if slot == 0 else 40 + int(4_500 * uniform(self.seed, "age", slot))
            return Listing(slot, 0, _2026 - age_days * DAY)
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

    def ranked(self, first: int, last: int, minute: int) -> list[Listing]:
        """The coins at ranks `first` to `last` (from 1, inclusive, cut at the end of the list)."""
        last = min(last, COINS)
        if first > last:
            return []
        low = max(0, int((first - 1) / _REACH) - 2)
        high = min(COINS, int(last * _REACH) + 3)
        order = sorted(range(low, high), key=lambda slot: -self.cap(slot, minute))
        return [self.listing(slot, minute) for slot in order[first - 1 - low : last - low]]

    def all_ranked(self, minute: int) -> tuple[Listing, ...]:
        """Every coin by rank: the slow way, for the sorts that need all of them."""
        return _all_ranked(self, minute)

    def rank(self, listing: Listing, minute: int) -> int:
        low = max(0, int((listing.slot + 1) / _REACH**2) - 2)
        high = min(COINS, int((listing.slot + 1) * _REACH) + 3)
        own = self.cap(listing.slot, minute)
        return low + 1 + sum(self.cap(slot, minute) > own for slot in range(low, high))

    def cap(self, slot: int, minute: int) -> float:
        return _cap(self.seed, slot, self.moved_at(slot, minute))

    def rate(self, listing: Listing, minute: int) -> float:
        return self.cap(listing.slot, minute) / self.supply(listing, minute)

    def supply(self, listing: Listing, minute: int) -> float:
        """Changes once a day, over years by up to a factor of ten: so prices may do what caps may not."""
        swing, phase = self._swing(listing), uniform(self.seed, "supply phase", listing.slot)
        return self._usual_supply(listing) * math.exp(-swing * math.sin(math.tau * (minute // DAY / 1460 + phase)))

    def highest_rate(self, listing: Listing) -> float:
        """No rate is ever above this: both walks at their top, the supply at its lowest."""
        lowest_supply = self._usual_supply(listing) * math.exp(-self._swing(listing))
        return _slot_cap(listing.slot) * _HIGHEST_WALK / lowest_supply

    def total_cap(self, minute: int) -> float:
        """Of the whole market: Bitcoin is around 58 % of it."""
        return _CAPS[0][1] / 0.58 * math.exp(_market_walk(self.seed, minute))

    def moved_at(self, slot: int, minute: int) -> int:
        """The minute whose values a coin still shows at `minute`: small coins do not move every minute."""
        if slot < 30:
            return minute
        period = _UPDATE_PERIODS[int(len(_UPDATE_PERIODS) * uniform(self.seed, "period", slot))]
        return minute - (minute + slot) % period

    def _usual_supply(self, listing: Listing) -> float:
        price = price_around(listing.code)
        return _slot_cap(listing.slot) / price if price else 10 ** (6 + 9 * uniform(self.seed, "supply", listing.slot))

    def _swing(self, listing: Listing) -> float:
        return 0.0 if price_around(listing.code) else 2.3 * uniform(self.seed, "supply swing", listing.slot) ** 4


@lru_cache(maxsize=200_000)
def _cap(seed: int, slot: int, minute: int) -> float:
    coin_walk = walk(minute, _COIN_WALK, seed, "coin", slot)
    return _slot_cap(slot) * math.exp(coin_walk + _market_walk(seed, minute))


@lru_cache(maxsize=10_000)
def _market_walk(seed: int, minute: int) -> float:
    return walk(minute, _MARKET_WALK, seed, "market")


@lru_cache(maxsize=COINS)
def _slot_cap(slot: int) -> float:
    """Between its neighbours in `_CAPS`, on straight lines in log-log."""
    rank = slot + 1
    right = min(bisect_right([at for at, _ in _CAPS], rank), len(_CAPS) - 1)
    (rank0, cap0), (rank1, cap1) = _CAPS[right - 1 : right + 1]
    share = math.log(rank / rank0) / math.log(rank1 / rank0)
    return cap0 * math.pow(cap1 / cap0, share)


@lru_cache(maxsize=2)
def _all_ranked(market: Market, minute: int) -> tuple[Listing, ...]:
    return tuple(market.ranked(1, COINS, minute))
