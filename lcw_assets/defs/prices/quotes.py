"""From a ticker to a quote: one usable price in the market's currency and in USD, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Literal, Protocol

from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.refusal import Refusal

# So many equal prices in a row, while the others moved, are of a source that stands still.
STILL_ROUNDS = 10

TimeKind = Literal["trade", "snapshot", "answer", "none"]
Basis = Literal["mid", "clipped_last", "last"]


class Ticker(Protocol):
    """What a source's parser gives (`lcw_assets.sources.tickers`). Prices in the market's currency, null if not sent;
    `volume` of 24 hours in coins; `source_time` is when the last trade was, the snapshot was taken or the response
    was made, as `time_kind` says; "none" goes with null.
    """

    @property
    def market(self) -> str: ...
    @property
    def bid(self) -> float | None: ...
    @property
    def ask(self) -> float | None: ...
    @property
    def last(self) -> float | None: ...
    @property
    def volume(self) -> float | None: ...
    @property
    def source_time(self) -> datetime | None: ...
    @property
    def time_kind(self) -> TimeKind: ...


@dataclass(frozen=True)
class QuoteLimits:
    """When a price is dead. Shares are fractions of the mid.

    `tight`: up to this spread the mid is the price. `absurd`: from this spread on the book is none: a Kraken market in
    `cancel_only` had 0.00447 to 0.034, a spread of 1.54. `outside`: how far the last trade may be from the mid.
    `age_s` by the kind of time: Pyth's clients reject after 120 s, and a trade is rarer than a response. `ahead_s`: how
    much a source's clock may be ahead of ours.
    """

    tight: float = 0.005
    absurd: float = 0.1
    outside: float = 0.05
    age_s: Mapping[str, float] = field(
        default_factory=lambda: {"trade": 300.0, "snapshot": 120.0, "answer": 120.0, "none": 120.0}
    )
    ahead_s: float = 5.0


DEFAULT_LIMITS = QuoteLimits()


@dataclass(frozen=True)
class Quote:
    """What one source says of one coin, as evidence: a row of `prices.quotes`.

    `price` is in `currency`; `rate` converted it to `usd` (null for USD itself), measured `rate_age_s` ago; `volume`
    of 24 hours in coins. `usd` is null exactly if there is a `refusal`.
    """

    source: str
    coin: str
    market: str
    currency: str
    bid: float | None
    ask: float | None
    last: float | None
    mid: float | None
    volume: float | None
    source_time: datetime | None
    time_kind: TimeKind
    received_at: datetime
    age_s: float
    price: float | None
    basis: Basis | None
    rate: float | None
    rate_age_s: float | None
    usd: float | None
    refusal: Refusal | None

    @property
    def converted(self) -> bool:
        return self.rate is not None

    def refused(self, refusal: Refusal) -> Quote:
        """The same, without a price in USD. A quote that was refused before keeps its first reason."""
        return self if self.refusal else self._with(usd=None, refusal=refusal)

    def _with(self, **changes: Any) -> Quote:
        """As `dataclasses.replace`, which is slow for so many fields (`python -m benchmarks.prices`, 1,000 coins)."""
        changed = object.__new__(Quote)
        changed.__dict__.update(self.__dict__, **changes)
        return changed


def make_quote(
    ticker: Ticker,
    *,
    source: str,
    coin: str,
    currency: str,
    received_at: datetime,
    at: datetime,
    limits: QuoteLimits = DEFAULT_LIMITS,
) -> Quote:
    """The quote of a ticker at the moment `at` of the round, in the market's currency: `to_usd` comes after it.

    Its age counts from the source's time, or, without one, from when the response came. A quote in USD is complete.
    """
    age_s = (at - (ticker.source_time or received_at)).total_seconds()
    mid = _mid(ticker)
    price, basis, refusal = _usable(ticker, mid, limits)
    refusal = refusal or _of_its_time(ticker, age_s, received_at, limits)
    good = price if currency == "USD" and refusal is None else None
    return Quote(
        source=source,
        coin=coin,
        market=ticker.market,
        currency=currency,
        bid=ticker.bid,
        ask=ticker.ask,
        last=ticker.last,
        mid=mid,
        volume=ticker.volume,
        source_time=ticker.source_time,
        time_kind=ticker.time_kind,
        received_at=received_at,
        age_s=age_s,
        price=price,
        basis=basis,
        rate=None,
        rate_age_s=None,
        usd=good,
        refusal=refusal,
    )


def to_usd(quote: Quote, rates: Mapping[str, Rate | Refusal], at: datetime) -> Quote:
    """The quote in USD, by the measured rate of its currency: usd = price x rate."""
    if quote.currency == "USD" or quote.refusal is not None or quote.price is None:
        return quote
    rate = rates.get(quote.currency, Refusal("no_conversion", {"currency": quote.currency}))
    if isinstance(rate, Refusal):
        return quote.refused(rate)
    age_s = (at - rate.measured_at).total_seconds()
    return quote._with(rate=rate.usd, rate_age_s=age_s, usd=quote.price * rate.usd)  # noqa: SLF001 - of this module


@dataclass(frozen=True)
class Past:
    """The last prices of a market in the rounds before, in its own currency: how many, and between what they were."""

    rounds: int
    lowest: float
    highest: float

    def after(self, price: float) -> Past:
        """With one more."""
        return Past(self.rounds + 1, min(self.lowest, price), max(self.highest, price))


def still(
    quote: Quote, own: Past, others: Sequence[Past], *, rounds: int = STILL_ROUNDS, moved: float = 0.001
) -> Quote:
    """Refuses a price that stands still while the others move, whatever its time says.

    `own` and `others` are of this source and of the other ones, over the same rounds. It stands still if `rounds`
    prices are equal, to the last digit, and the median of how far the others ranged meanwhile,
    (highest - lowest) / lowest, is over `moved`. It needs two others at least.
    """
    ranges = [other.highest / other.lowest - 1 for other in others if other.rounds >= rounds]
    if own.rounds < rounds or own.lowest < own.highest or len(ranges) < 2 or median(ranges) <= moved:
        return quote
    return quote.refused(Refusal("stands_still", {"rounds": own.rounds, "others_moved": median(ranges)}))


def _mid(ticker: Ticker) -> float | None:
    """(bid + ask) / 2 of a book that has both and is not crossed."""
    bid, ask = ticker.bid, ticker.ask
    if bid is None or ask is None or not 0 < bid <= ask < math.inf:
        return None
    return bid + (ask - bid) / 2


def _usable(
    ticker: Ticker, mid: float | None, limits: QuoteLimits
) -> tuple[float, Basis, None] | tuple[None, None, Refusal]:
    """The price to use: the mid of a tight book; in a wider one the last trade, clipped to it; without a book the last.

    As recorded: of thin markets the last trade is stale (Bitstamp's NEAR 1.84115 below a bid of 1.84541), and the mid
    of a wide book is nobody's price.
    """
    for name in ("bid", "ask", "last"):
        value = getattr(ticker, name)
        if value is not None and not math.isfinite(value):
            return None, None, Refusal("not_a_number", {"field": name, "value": str(value)})
        if value is not None and value <= 0:
            return None, None, Refusal("zero_price", {"field": name, "value": value})
    bid, ask, last = ticker.bid, ticker.ask, ticker.last
    if bid is None and ask is None:
        return (None, None, Refusal("no_price")) if last is None else (last, "last", None)
    if bid is None or ask is None:
        return None, None, Refusal("half_book", {"missing": "bid" if bid is None else "ask"})
    if mid is None:
        return None, None, Refusal("crossed_book", {"bid": bid, "ask": ask})
    spread = (ask - bid) / mid
    if spread > limits.absurd:
        return None, None, Refusal("absurd_book", {"spread": spread, "limit": limits.absurd})
    if last is not None and abs(last - mid) > limits.outside * mid:
        fields = {"last": last, "mid": mid, "limit": limits.outside}
        return None, None, Refusal("last_outside_book", fields)
    if last is None or spread <= limits.tight:
        return mid, "mid", None
    return min(max(last, bid), ask), "clipped_last", None


def _of_its_time(ticker: Ticker, age_s: float, received_at: datetime, limits: QuoteLimits) -> Refusal | None:
    if ticker.source_time is not None:
        ahead_s = (ticker.source_time - received_at).total_seconds()
        if ahead_s > limits.ahead_s:
            return Refusal("from_the_future", {"ahead_s": ahead_s, "limit_s": limits.ahead_s})
    limit_s = limits.age_s[ticker.time_kind]
    if age_s > limit_s:
        return Refusal("too_old", {"age_s": age_s, "limit_s": limit_s, "time_kind": ticker.time_kind})
    return None
