"""The market as Live Coin Watch shows it: small coins lag behind, and coins are ranked by what is shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from lcw_assets.simulator.market import COINS, Listing, Market
from lcw_assets.simulator.noise import uniform

# Two coins can cross only if their slots' log caps differ by less than twice what a coin wanders, plus what the market
# moves within the longest update period (0.014). The flattest stretch of the caps falls 1.47 per unit of log rank.
_REACH = math.exp((2 * 0.05 + 0.014) / 1.47)

_UPDATE_PERIODS = (1, 1, 2, 3, 5, 10, 15, 30)  # minutes


@dataclass(frozen=True)
class Aggregate:
    """What is shown of one market, minute by minute."""

    market: Market

    @property
    def seed(self) -> int:
        return self.market.seed

    def shown_at(self, slot: int, minute: int) -> int:
        """The minute whose values a coin still shows at `minute`: small coins do not move every minute."""
        if slot < 30:
            return minute
        period = _UPDATE_PERIODS[int(len(_UPDATE_PERIODS) * uniform(self.seed, "period", slot))]
        return minute - (minute + slot) % period

    def cap(self, slot: int, minute: int) -> float:
        return self.market.cap(slot, self.shown_at(slot, minute))

    def rate(self, coin: Listing, minute: int) -> float:
        return self.market.price(coin, self.shown_at(coin.slot, minute))

    def supply(self, coin: Listing, minute: int) -> float:
        return self.market.supply(coin, self.shown_at(coin.slot, minute))

    def ranked(self, first: int, last: int, minute: int) -> list[Listing]:
        """The coins at ranks `first` to `last` (from 1, inclusive, cut at the end of the list)."""
        last = min(last, COINS)
        if first > last:
            return []
        low = max(0, int((first - 1) / _REACH) - 2)
        high = min(COINS, int(last * _REACH) + 3)
        order = sorted(range(low, high), key=lambda slot: -self.cap(slot, minute))
        return [self.market.listing(slot, minute) for slot in order[first - 1 - low : last - low]]

    def all_ranked(self, minute: int) -> tuple[Listing, ...]:
        """Every coin by rank: the slow way, for the sorts that need all of them."""
        return _all_ranked(self, minute)

    def rank(self, coin: Listing, minute: int) -> int:
        low = max(0, int((coin.slot + 1) / _REACH**2) - 2)
        high = min(COINS, int((coin.slot + 1) * _REACH) + 3)
        own = self.cap(coin.slot, minute)
        return low + 1 + sum(self.cap(slot, minute) > own for slot in range(low, high))


@lru_cache(maxsize=2)
def _all_ranked(aggregate: Aggregate, minute: int) -> tuple[Listing, ...]:
    return tuple(aggregate.ranked(1, COINS, minute))
