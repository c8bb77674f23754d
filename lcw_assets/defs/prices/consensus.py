"""What many quotes of one coin add up to: a price with its evidence, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Literal

from lcw_assets.defs.prices.quotes import Quote
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets.defs.prices.weights import capped, weighted_median

Method = Literal["median", "volume"]
Role = Literal["used", "rejected", "refused", "missing", "witness"]

# The standard deviation of a normal distribution is 1.4826 of its median absolute deviation (Rousseeuw and Croux 1993).
_SIGMA_PER_MAD = 1.4826


@dataclass(frozen=True)
class ConsensusLimits:
    """Shares are fractions.

    `floor`: nobody is rejected who is closer to the median than this: where five books are within a basis point, the
    median absolute deviation is about zero. `few`: with fewer votes than this two liars could be half of them, and
    those who agree have to be as close to the price as `near_if_few`: of three one is honest, and with the error of a
    conversion the price is within 0.1 % of what it says. `cap`: of the weight, for a single source: volumes are
    self-reported.
    """

    quorum: int = 3
    floor: float = 0.002
    sigmas: float = 3.0
    few: int = 5
    near_if_few: float = 0.0006
    cap: float = 0.4


DEFAULT_LIMITS = ConsensusLimits()


@dataclass(frozen=True)
class Member:
    """One source in a consensus, with the market that is its vote. `deviation` is usd / center - 1, null where one of
    them is missing.
    """

    source: str
    role: Role
    usd: float | None
    deviation: float | None
    converted: bool
    reason: Refusal | None = None
    market: str | None = None


@dataclass(frozen=True)
class Consensus:
    """The price of a coin in USD at a moment, null with a `reason`.

    `center` is what deviations are relative to: the price, or without one the median of the votes. `requested`,
    `received` and `used` count sources, witnesses apart; `received` have a usable quote. `spread` is
    (highest - lowest) / center and `mad` the median absolute deviation in USD, both of those that are used.
    `confidence` is from 0 to 1: used / requested x floor / (floor + spread). It is our own formula: publishers keep
    theirs to themselves. `members` is every source, by name.
    """

    coin: str
    at: datetime
    method: Method
    price: float | None
    reason: Refusal | None
    center: float | None
    requested: int
    received: int
    used: int
    rejected: int
    spread: float | None
    mad: float | None
    confidence: float
    members: tuple[Member, ...]

    @property
    def converted(self) -> tuple[str, ...]:
        """The used sources whose price was converted from another currency."""
        return tuple(one.source for one in self.members if one.role == "used" and one.converted)


def make_consensus(
    coin: str,
    at: datetime,
    quotes: Iterable[Quote],
    requested: Iterable[str],
    *,
    witnesses: Iterable[str] = (),
    method: Method = "median",
    limits: ConsensusLimits = DEFAULT_LIMITS,
) -> Consensus:
    """The consensus of the `quotes` of one coin. The order of nothing matters.

    1. A source has one vote: its quote in USD before a converted one, the larger volume before the smaller. Witnesses
       are averages of exchanges themselves: their deviation is known, and they never vote.
    2. Out is who is further from the median m of the votes than max(3 x 1.4826 x MAD, 0.2 % of m), MAD being the median
       of |usd - m| (Leys et al. 2013 for three of them). Weights are self-reported, so they have no part in this.
    3. The price is the median, or the volume-weighted median, of the rest, kept between the (f+1)-th lowest and the
       (f+1)-th highest of all votes, with f = (n - 1) // 3: of n sources that many may lie, and the price is
       still within what honest ones say (Dolev et al. 1986, approximate agreement).
    4. It needs a quorum of used sources, and as many of them within `floor` of the price, closer where votes are few:
       the middle between two camps is nobody's price.
    """
    apart = frozenset(witnesses)
    quotes = list(quotes)
    votes, members = _votes([quote for quote in quotes if quote.source not in apart])
    names = frozenset(requested) - apart
    received = {member.source for member in members} | set(votes)
    members += [Member(name, "missing", None, None, False, Refusal("missing")) for name in names - received]
    center, price, reason, out = _price(votes, method, limits)
    used = [votes[name].usd or 0.0 for name in votes if name not in out]
    spread = mad = None
    if center is not None:
        spread = (max(used) - min(used)) / center
        mad = median(abs(usd - center) for usd in used)
    members += [
        Member(
            source=name,
            role="rejected" if name in out else "used",
            usd=quote.usd,
            deviation=_deviation(quote.usd, center),
            converted=quote.converted,
            reason=out.get(name),
            market=quote.market,
        )
        for name, quote in votes.items()
    ]
    members += [
        Member(
            quote.source,
            "witness",
            quote.usd,
            _deviation(quote.usd, center),
            quote.converted,
            quote.refusal,
            quote.market,
        )
        for quote in quotes
        if quote.source in apart
    ]
    wanted = len(names | received)
    return Consensus(
        coin=coin,
        at=at,
        method=method,
        price=price,
        reason=reason,
        center=center,
        requested=wanted,
        received=len(votes),
        used=len(used),
        rejected=len(out),
        spread=spread,
        mad=mad,
        confidence=0.0 if price is None else len(used) / wanted * limits.floor / (limits.floor + (spread or 0.0)),
        members=tuple(sorted(members, key=lambda member: (member.source, member.role, member.usd or 0.0))),
    )


def _votes(quotes: Sequence[Quote]) -> tuple[dict[str, Quote], list[Member]]:
    """The quote that is the vote of each source, by name, and as members the sources whose quotes are all refused."""
    usable = [quote for quote in quotes if quote.usd is not None]
    usable.sort(key=lambda quote: (quote.source, quote.converted, -(quote.volume or 0.0), quote.market, quote.usd))
    votes: dict[str, Quote] = {}
    for quote in usable:
        votes.setdefault(quote.source, quote)
    refused = sorted((quote for quote in quotes if quote.usd is None), key=lambda quote: (quote.source, quote.market))
    silent = {quote.source: quote for quote in reversed(refused) if quote.source not in votes}
    return votes, [Member(name, "refused", None, None, False, quote.refusal) for name, quote in silent.items()]


def _price(
    votes: Mapping[str, Quote], method: Method, limits: ConsensusLimits
) -> tuple[float | None, float | None, Refusal | None, dict[str, Refusal]]:
    """The center, the price, why there is none, and who is out with the reason."""
    values = {name: quote.usd for name, quote in votes.items() if quote.usd is not None}
    if not values:
        return None, None, Refusal("no_quorum", {"used": 0, "quorum": limits.quorum}), {}
    middle = median(values.values())
    mad = median(abs(usd - middle) for usd in values.values())
    limit = max(limits.sigmas * _SIGMA_PER_MAD * mad, limits.floor * middle)
    out = {
        name: Refusal("outlier", {"center": middle, "limit": limit})
        for name, usd in values.items()
        if abs(usd - middle) > limit
    }
    rest = [name for name in values if name not in out]
    if len(rest) < limits.quorum:
        return middle, None, Refusal("no_quorum", {"used": len(rest), "quorum": limits.quorum}), out
    if method == "volume":
        weights = capped([votes[name].volume for name in rest], limits.cap)
        price = weighted_median([values[name] for name in rest], weights)
    else:
        price = median(values[name] for name in rest)
    ordered = sorted(values.values())
    liars = (len(ordered) - 1) // 3
    price = min(max(price, ordered[liars]), ordered[-1 - liars])
    close = limits.floor if len(values) >= limits.few else limits.near_if_few
    near = sum(abs(values[name] - price) <= close * price for name in rest)
    if near < limits.quorum:
        fields = {"agree": near, "used": len(rest), "limit": close, "center": price}
        return price, None, Refusal("no_agreement_of_sources", fields), out
    return price, price, None, out


def _deviation(usd: float | None, center: float | None) -> float | None:
    return None if usd is None or center is None else usd / center - 1
