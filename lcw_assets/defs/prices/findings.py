"""The checks of a round. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lcw_assets import escape
from lcw_assets.defs.prices.consensus import Consensus
from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.cross_check import CrossCheck
from lcw_assets.defs.prices.health import Health
from lcw_assets.defs.prices.pricing import Round
from lcw_assets.defs.prices.state import Names
from lcw_assets.ingest.hooks import Finding
from lcw_assets.rounding import percent

CONSENSUS, HEALTH, RATES = "prices/consensus", "prices/source_health", "prices/rates"
NAMES = "instruments/names"

# Sources that are used and further apart than this, of a coin that many trade, are a market in trouble.
WIDEST_SPREAD = 0.005


def findings(
    found: Round,
    healths: Mapping[str, Health],
    compared: CrossCheck,
    names: Names,
    *,
    depeg: float,
    lcw_deviation: float,
) -> Iterator[Finding]:
    """Limits are shares."""
    without = [one for one in found.consensus if one.reason]
    # Of few sources two liars are half, so they have to agree closely: small coins may never do. Who asked for all that
    # is tracked did not ask for these.
    few = [one for one in without if names.tracked and one.reason and one.reason.code == "no_agreement_of_sources"]
    named = [f"{one.coin} ({_why_none(one, names)})" for one in without if one not in few]
    wrong = f"no price of {escape.some(named, escape.markdown)}" if named else escape.markdown(names.complaint)
    numbers = {
        "priced": len(found.consensus) - len(without),
        "symbols": len(found.consensus),
        "few_sources": len(few),
    }
    yield Finding("quorum", CONSENSUS, wrong, numbers)

    spreads = {one.coin: one.spread for one in found.consensus if one.price is not None and one.spread is not None}
    wide = [f"{coin} ({percent(spread)})" for coin, spread in spreads.items() if spread > WIDEST_SPREAD]
    wrong = f"sources are over {percent(WIDEST_SPREAD)} apart: {escape.some(wide, escape.markdown)}" if wide else ""
    yield Finding("spread", CONSENSUS, wrong, {"widest": max(spreads.values(), default=0.0)})

    off = [
        f"{member.source} {one.coin} ({percent(member.deviation, sign='+')})"
        for one in found.consensus
        for member in one.members
        if member.role == "rejected" and member.deviation is not None
    ]
    wrong = f"left out, too far from the others: {escape.some(off, escape.markdown)}" if off else ""
    yield Finding("deviation", CONSENSUS, wrong, {"rejected": len(off)})

    late = [_late(row) for row in compared.rows if row["off_since"]]
    wrong = f"Live Coin Watch is over {percent(lcw_deviation)} off: {escape.some(late, escape.markdown)}"
    numbers = {"compared": len(compared.rows), "off": len(late)}
    yield Finding("lcw_deviation", CONSENSUS, wrong if late else "", numbers)

    unread = names.instruments.complaints
    wrong = f"rows that cannot be read are left out: {escape.some(unread, escape.markdown)}" if unread else ""
    yield Finding("names_readable", NAMES, wrong)

    out = [f"{name} ({why_out(health)})" for name, health in healths.items() if health.state in ("out", "probing")]
    wrong = f"out: {escape.some(out, escape.markdown)}" if out else ""
    yield Finding("sources_out", HEALTH, wrong, {"out": len(out), "sources": len(healths)})

    wrong, usd = "", {}
    for currency, rate in found.rates.items():
        if isinstance(rate, Rate):
            usd[currency] = rate.usd
            if abs(rate.usd - 1) > depeg:
                wrong = f"one {escape.name(currency)} is {rate.usd:.4f} USD"
        else:
            wrong = f"nothing says what one {escape.name(currency)} is in USD: {rate.code}"
    yield Finding("depeg", RATES, wrong, usd)


def _why_none(one: Consensus, names: Names) -> str:
    """A code, and where no source was called for it, what its name means to them."""
    code = one.reason.code if one.reason else ""
    meanings = names.instruments.why_not(one.coin) if not one.requested else {}
    said = ", ".join(f"{meaning} at {', '.join(venues)}" for meaning, venues in meanings.items())
    return code if one.requested else f"{code}: no source has a market of it{f', {said}' if said else ''}"


def _late(row: Mapping[str, Any]) -> str:
    off = f"{percent(row['deviation'], '+')} since {row['off_since']:%H:%M:%S} UTC"
    return f"{row['symbol']} ({off}, with a price {row['age_s']:.0f} s old)"


def why_out(health: Health) -> str:
    """The codes, and when it is called again."""
    codes = ", ".join(reason.code for reason in health.reasons)
    return f"{codes}, called again at {health.probe_at:%H:%M:%S} UTC" if health.probe_at else codes
