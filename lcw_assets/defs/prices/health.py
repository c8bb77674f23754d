"""How well a source serves, as a pure function of the facts of its last loads. Nothing is kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from lcw_assets.defs.prices.refusal import Refusal

State = Literal["healthy", "degraded", "out", "probing"]

# Outcomes of a call after which the next one would meet the same, or make it worse.
_BANS = frozenset({"banned", "blocked", "rate_limited"})


@dataclass(frozen=True)
class Fact:
    """What one load left of one source. `outcome` is `ok`, or what ended its last attempt; `votes` are its usable
    quotes, `rejected` those of them that a consensus rejected, of coins that had a price; `age_s` the median age of its
    quotes. `retry_at` is what the server requested.
    """

    at: datetime
    outcome: str
    latency_s: float
    votes: int = 0
    rejected: int = 0
    age_s: float | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True)
class Spent:
    """What a source cost on the UTC day so far."""

    calls: int = 0
    bytes: int = 0
    cost: float = 0.0


@dataclass(frozen=True)
class HealthLimits:
    """Shares are fractions. A source is out after `failures` loads in a row without a usable response (two, so that it
    is known within two rounds), and after as many in which most of its votes were rejected. It is called again after
    `first_pause_s`, doubled by each probe that fails, up to `longest_pause_s`; where it requests a later moment, then,
    up to `longest_ban_s` (Binance bans for three days at most). `window` loads count for the rest.
    """

    failures: int = 2
    first_pause_s: float = 60.0
    longest_pause_s: float = 900.0
    longest_ban_s: float = 259_200.0
    window: int = 20
    success: float = 0.9
    rejected: float = 0.5
    latency_s: float = 2.0
    age_s: float = 60.0
    budget: float | None = None


DEFAULT_LIMITS = HealthLimits()
NOTHING_SPENT = Spent()


@dataclass(frozen=True)
class Health:
    """A row of `prices.source_health`. `out`: not called before `probe_at`; `probing`: one call now; `degraded`: it
    is called, and the `reasons` say what is wrong. `success` is the share of loads whose call succeeded, `latency_s`
    and `age_s` are medians, `rejected` the share of votes, all of the window; `cost`, `calls` and `bytes` are of the
    UTC day so far.
    """

    state: State
    reasons: tuple[Refusal, ...]
    probe_at: datetime | None
    success: float | None
    latency_s: float | None
    age_s: float | None
    rejected: float | None
    cost: float
    calls: int
    bytes: int


def health(
    facts: Sequence[Fact], now: datetime, limits: HealthLimits = DEFAULT_LIMITS, spent: Spent = NOTHING_SPENT
) -> Health:
    """The health of a source at a moment. `facts` are those of its loads, in any order, of the window at least. A
    source without facts is degraded: nobody knows it, and it is called.
    """
    known = sorted((fact for fact in facts if fact.at <= now), key=lambda fact: fact.at)
    out, probe_at = _out(known, now, spent.cost, limits)
    recent = known[-limits.window :]
    good = [fact for fact in recent if fact.outcome == "ok"]
    votes = sum(fact.votes for fact in good)
    ages = [fact.age_s for fact in good if fact.age_s is not None]
    success = len(good) / len(recent) if recent else None
    latency_s = median(fact.latency_s for fact in good) if good else None
    age_s = median(ages) if ages else None
    reasons = list(out)
    if not recent:
        reasons.append(Refusal("unknown"))
    if success is not None and success < limits.success:
        reasons.append(Refusal("unreliable", {"success": success, "limit": limits.success}))
    if latency_s is not None and latency_s > limits.latency_s:
        reasons.append(Refusal("slow", {"latency_s": latency_s, "limit_s": limits.latency_s}))
    if age_s is not None and age_s > limits.age_s:
        reasons.append(Refusal("stale", {"age_s": age_s, "limit_s": limits.age_s}))
    if not out and good and _is_useless(good[-1], limits):
        reasons.append(_useless(good[-1]))
    state: State = "degraded" if reasons else "healthy"
    if probe_at is not None:
        state = "out" if now < probe_at else "probing"
    return Health(
        state=state,
        reasons=tuple(reasons),
        probe_at=probe_at,
        success=success,
        latency_s=latency_s,
        age_s=age_s,
        rejected=sum(fact.rejected for fact in good) / votes if votes else None,
        cost=spent.cost,
        calls=spent.calls,
        bytes=spent.bytes,
    )


def at_moment(before: Health, now: datetime) -> Health:
    """The health as it was after the last load, at a later moment: who was out may be probed by now."""
    if before.probe_at is None:
        return before
    return replace(before, state="out" if now < before.probe_at else "probing")


def _out(
    known: Sequence[Fact], now: datetime, cost: float, limits: HealthLimits
) -> tuple[list[Refusal], datetime | None]:
    """Why a source is out, and when it is called again; nothing and null if it is not out."""
    if limits.budget is not None and cost >= limits.budget:
        tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return [Refusal("over_budget", {"cost": cost, "limit": limits.budget})], tomorrow
    streak = 0
    while streak < len(known) and not _usable(known[-1 - streak], limits):
        streak += 1
    if not streak:
        return [], None
    last = known[-1]
    if streak < limits.failures and last.outcome not in _BANS and last.retry_at is None:
        return [], None
    doublings = min(max(0, streak - limits.failures), 30)
    pause_s = min(limits.first_pause_s * 2**doublings, limits.longest_pause_s)
    probe_at = last.at + timedelta(seconds=pause_s)
    if last.retry_at is not None:
        latest = last.at + timedelta(seconds=limits.longest_ban_s)
        probe_at = max(probe_at, min(last.retry_at, latest))
    if last.outcome in _BANS or last.retry_at is not None:
        reason = Refusal("banned", {"outcome": last.outcome, "until": probe_at})
    elif last.outcome == "ok":
        reason = _useless(last)
    else:
        reason = Refusal("failing", {"failures": streak, "outcome": last.outcome})
    return [reason], probe_at


def _usable(fact: Fact, limits: HealthLimits) -> bool:
    return fact.outcome == "ok" and not _is_useless(fact, limits)


def _is_useless(fact: Fact, limits: HealthLimits) -> bool:
    """It responded with nothing usable, or most of its votes were rejected."""
    return fact.votes == 0 or fact.rejected > limits.rejected * fact.votes


def _useless(fact: Fact) -> Refusal:
    if fact.votes == 0:
        return Refusal("no_usable_quotes")
    return Refusal("disbelieved", {"rejected": fact.rejected, "votes": fact.votes})
