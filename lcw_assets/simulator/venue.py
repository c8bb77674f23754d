"""An exchange over the hidden market: which coins it trades, and how far its prices are from the true ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lcw_assets.simulator.market import COINS, Listing, Market
from lcw_assets.simulator.names import LEADERS
from lcw_assets.simulator.noise import uniform

# Every exchange trades these. What is pegged is what others are quoted in.
_ALWAYS = tuple(slot for slot, leader in enumerate(LEADERS.values()) if leader.peg is None)

_BASIS_SPEED = 4.7  # radians a minute


class Venue:
    """One exchange, with *places* for about so many coins: the leaders, and one of three of those that follow.

    Which coin has a place, and every price, is a pure function of (seed, name, place or coin, moment).
    """

    def __init__(self, market: Market, name: str, places: int) -> None:
        self.market = market
        self._name = name
        self._places = places
        # Each place beyond the leaders takes its coin from so many neighbouring slots, of its own.
        self._choice = max(1, min(3, (COINS - len(LEADERS)) // max(1, places)))
        self.most_places = len(_ALWAYS) + (COINS - len(LEADERS)) // self._choice

    def coin(self, place: int, minute: int, turn: int = 0) -> Listing | None:
        """The coin in a place, if there is one to trade; another `turn` is another coin, if there is a choice."""
        if place < len(_ALWAYS):
            return self.market.listing(_ALWAYS[place], minute)
        place -= len(_ALWAYS)
        first = int(self._choice * uniform(self.market.seed, self._name, "place", place)) + turn
        for candidate in range(first, first + self._choice):
            slot = len(LEADERS) + self._choice * place + candidate % self._choice
            if slot < COINS:
                coin = self.market.listing(slot, minute)
                if self.market.traded(coin) and coin.ticker:
                    return coin
        return None

    def coins(self, minute: int) -> Iterator[Listing]:
        """Every coin that is traded, each once."""
        return filter(None, (self.coin(place, minute) for place in range(self._places)))

    def price(self, coin: Listing, minute: float, currency: str = "USD") -> float:
        """The middle of the order book, at any second: 0.01 % off the true price at most for the largest coin, 0.13 %
        for the smallest.
        """
        phase = (1 + coin.slot) * 100 * uniform(self.market.seed, self._name, "basis")
        basis = 1e-4 * math.sqrt(math.sqrt(1 + coin.slot)) * math.sin(minute * _BASIS_SPEED + phase)
        return self.market.price(coin, minute) * (1 + basis) / self.market.usd_per(currency, minute)


def tick_digits(market: Market, coin: Listing) -> int:
    """Decimals of the smallest step of a price (0.01 has 2): a hundred-thousandth of the usual price, about."""
    return max(0, 5 - math.floor(math.log10(market.usual_price(coin))))
