"""How long a response may be shared between loads: the calmer the price, the longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log, sqrt


@dataclass(frozen=True)
class LifetimeLimits:
    """`drift`: by what share a shared price may be off, one standard deviation. The lifetime stays within seconds
    `shortest_s` and `longest_s`, which is under the minute between two scheduled rounds; a price of which too little is
    known has the shortest.
    """

    drift: float = 0.0005
    shortest_s: float = 1.0
    longest_s: float = 45.0


DEFAULT_LIMITS = LifetimeLimits()


def volatility(prices: Sequence[tuple[datetime, float]]) -> float | None:
    """Standard deviation of the logarithm of a price per square root of a second, from prices at moments, in order:
    sqrt(sum of squared log returns / seconds between the first and the last), the realised volatility (Andersen and
    Bollerslev 1998). Null for fewer than two moments.
    """
    if len(prices) < 2:
        return None
    seconds = (prices[-1][0] - prices[0][0]).total_seconds()
    if seconds <= 0:
        return None
    returns = [log(price / prices[index][1]) for index, (_, price) in enumerate(prices[1:])]
    return sqrt(sum(one**2 for one in returns) / seconds)


def lifetime_s(volatilities: Sequence[float | None], limits: LifetimeLimits = DEFAULT_LIMITS) -> float:
    """Seconds for which one response may serve, for coins of these volatilities: that of the wildest decides.

    A random walk moves by volatility x sqrt(t) in t seconds, one standard deviation (Bachelier 1900), so that it moves
    by `drift` in (drift / volatility)^2.
    """
    known = [one for one in volatilities if one is not None]
    if not volatilities or len(known) < len(volatilities):
        return limits.shortest_s
    wildest = max(known)
    if wildest * sqrt(limits.longest_s) <= limits.drift:
        return limits.longest_s
    return max(limits.shortest_s, (limits.drift / wildest) ** 2)
