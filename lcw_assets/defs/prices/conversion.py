"""What a USDT is in USD, measured by those who trade it and never assumed. Two liars must not move it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from lcw_assets.defs.prices.refusal import Refusal


@dataclass(frozen=True)
class Rate:
    """USD for one unit of `currency`, on which `sources` agree. `implied` is what the books of other coins say, null if
    too few have both currencies. `anchor_usd` is the last rate that three sources agreed on, and `anchored_at` when:
    null where this one is it.
    """

    currency: str
    usd: float
    measured_at: datetime
    sources: tuple[str, ...]
    implied: float | None
    anchor_usd: float | None = None
    anchored_at: datetime | None = None

    @property
    def anchor(self) -> tuple[float, datetime]:
        if self.anchor_usd is None or self.anchored_at is None:
            return self.usd, self.measured_at
        return self.anchor_usd, self.anchored_at


@dataclass(frozen=True)
class ConversionLimits:
    """Shares are fractions.

    `agreement`: how close to their median `votes` sources must be: two liars are never three, so that where three agree
    one of them is honest, and the rate within this share of it. (Recorded on 2026-07-27: 0.99908 and 0.999, which are
    0.008 % apart.) `moved`: a rate further than this from the last good one needs the books to imply it, within the
    same. `last_good_s`: for how long the last good rate serves. `near`: fewer than `votes` are believed if they are so
    close to the last rate that three agreed on, for `anchor_s`: they cannot lead it further away than that.
    """

    agreement: float = 0.0003
    votes: int = 3
    moved: float = 0.003
    last_good_s: float = 300.0
    near: float = 0.001
    anchor_s: float = 3600.0


DEFAULT_LIMITS = ConversionLimits()


def measure(
    currency: str,
    direct: Mapping[str, float],
    implied: float | None,
    last_good: Rate | None,
    at: datetime,
    limits: ConversionLimits = DEFAULT_LIMITS,
) -> Rate | Refusal:
    """The rate at this moment, from what each source that trades it says `direct`, in USD.

    1. New, if three sources agree on their median, and, where it moved from the last good one, the books imply the
       same.
    2. Otherwise, where most of those who are left (one may be enough; half, if the books imply the same) are near the
       last rate that three agreed on: what these say if they are two or more and agree, or else that rate.
    3. Otherwise the last good rate with the time of its own, while it is young and at least half of the sources (if
       any) still say nearly the same.

    An older rate does not serve where the books imply another one. Two liars at the old rate in a real depeg, and two
    at a new one who lie about coins as well, look the same: then there is none, and the reason why.
    """
    found = _agreed(currency, direct, implied, last_good, at, limits)
    if isinstance(found, Rate) or last_good is None:
        return found
    cause = found.code
    if implied is not None and _apart(implied, last_good.usd) > limits.moved:
        return Refusal("last_rate_contested", {"implied": implied, "last": last_good.usd, "cause": cause})
    if anchored := _anchored(direct, implied, last_good, at, limits):
        return anchored
    age_s = (at - last_good.measured_at).total_seconds()
    if age_s > limits.last_good_s:
        return Refusal("last_rate_too_old", {"age_s": age_s, "limit_s": limits.last_good_s, "cause": cause})
    near = sum(_apart(usd, last_good.usd) <= limits.moved for usd in direct.values())
    if 2 * near < len(direct):
        return Refusal("last_rate_deserted", {"near": near, "votes": len(direct), "cause": cause})
    return last_good


def implied_rate(
    prices_in_usd: Mapping[str, Sequence[float]],
    prices_in_currency: Mapping[str, Sequence[float]],
    *,
    books: int = 2,
    apart: float = DEFAULT_LIMITS.moved,
) -> float | None:
    """USD for one unit of the currency, as the books of coins imply it: for each coin, the median of its prices in USD
    over the median of its prices in the currency; of all coins the median. Each side needs `books` of a coin, and where
    these are further `apart` (a share) than a rate may move, they imply nothing: so two liars among three books cannot
    make an honest rate look wrong.
    """
    ratios = [
        median(usd) / median(prices_in_currency[coin])
        for coin, usd in prices_in_usd.items()
        if _together(usd, books, apart) and _together(prices_in_currency.get(coin, ()), books, apart)
    ]
    return median(ratios) if ratios else None


def _together(prices: Sequence[float], books: int, apart: float) -> bool:
    return len(prices) >= books and max(prices) <= min(prices) * (1 + apart)


def _agreed(
    currency: str,
    direct: Mapping[str, float],
    implied: float | None,
    last_good: Rate | None,
    at: datetime,
    limits: ConversionLimits,
) -> Rate | Refusal:
    if not direct:
        return Refusal("no_conversion", {"currency": currency})
    measured = median(direct.values())
    agree = [name for name, usd in direct.items() if _apart(usd, measured) <= limits.agreement]
    fields = {"currency": currency, "measured": measured, "agree": len(agree), "votes": len(direct), "implied": implied}
    if len(agree) < limits.votes:
        return Refusal("no_agreement", fields)
    moved = last_good is None or _apart(measured, last_good.usd) > limits.moved
    confirmed = implied is not None and _apart(measured, implied) <= limits.moved
    # The first rate of all has nothing that it moved from: only books that say otherwise stand against it.
    if moved and not confirmed and not (last_good is None and implied is None):
        return Refusal("no_agreement", fields)
    return Rate(currency, measured, at, tuple(sorted(agree)), implied)


def _anchored(
    direct: Mapping[str, float], implied: float | None, last_good: Rate, at: datetime, limits: ConversionLimits
) -> Rate | None:
    """By fewer than three, who cannot lead it away."""
    anchor, anchored_at = last_good.anchor
    near = {name: usd for name, usd in direct.items() if _apart(usd, anchor) <= limits.near}
    enough = 2 * len(near) > len(direct) or (2 * len(near) == len(direct) > 0 and implied is not None)
    if not enough or (at - anchored_at).total_seconds() > limits.anchor_s:
        return None
    measured = median(near.values())
    agreed = len(near) > 1 and all(_apart(usd, measured) <= limits.agreement for usd in near.values())
    usd, since = (measured, at) if agreed else (anchor, anchored_at)
    return Rate(last_good.currency, usd, since, tuple(sorted(near)), implied, anchor, anchored_at)


def _apart(one: float, other: float) -> float:
    """As a share of the other."""
    return abs(one - other) / other
