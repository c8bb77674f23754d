"""A round as rows of the tables. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from lcw_assets.defs.prices.consensus import Consensus, Member
from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.health import Health
from lcw_assets.defs.prices.latest import Latest, latest
from lcw_assets.defs.prices.pricing import Round
from lcw_assets.defs.prices.quotes import Quote
from lcw_assets.defs.prices.refusal import Refusal

Row = Mapping[str, Any]

# A change of any of these is a row of `prices.consensus`; so is one of the price, which a stale row of `prices.latest`
# still has where there is none.
_CHANGES = ("reason", "used", "rejected")


def quote_rows(found: Round, load_id: str) -> list[Row]:
    members = {(member.source, one.coin): member for one in found.consensus for member in one.members}
    coins = {one.coin for one in found.consensus}
    return [_quote(quote, members.get((quote.source, quote.coin)), coins, found.at, load_id) for quote in found.quotes]


def consensus_rows(found: Round, before: Mapping[str, Row], load_id: str) -> list[Row]:
    """Those that differ from the latest row of their coin. One that comes late is a row in any case."""
    made: list[Row] = []
    for one in found.consensus:
        row = {
            "load_id": load_id,
            "priced_at": found.at,
            "symbol": one.coin,
            "price": one.price,
            **_reason(one.reason),
            "method": one.method,
            "asked": one.requested,
            "received": one.received,
            "used": one.used,
            "rejected": one.rejected,
            "spread": one.spread,
            "mad": one.mad,
            "confidence": one.confidence,
            "center": one.center,
            "converted": list(one.converted),
            "deviations": {member.source: member.deviation for member in one.members},
        }
        old = before.get(one.coin)
        if (
            old is None
            or (one.price is not None and old["price"] != one.price)
            or any(old[name] != row[name] for name in _CHANGES)
            or found.at <= old["checked_at"]
        ):
            made.append(row)
    return made


def latest_rows(found: Round, before: Mapping[str, Row], load_id: str) -> list[Row]:
    """One a coin of the round, but for coins of which a later round is known."""
    return [
        _latest(one, before.get(one.coin), found.at, load_id)
        for one in found.consensus
        if one.coin not in before or before[one.coin]["checked_at"] < found.at
    ]


def rate_rows(found: Round, load_id: str) -> list[Row]:
    return [
        {
            "load_id": load_id,
            "priced_at": found.at,
            "currency": currency,
            "usd": rate.usd if isinstance(rate, Rate) else None,
            "measured_at": rate.measured_at if isinstance(rate, Rate) else None,
            "sources": list(rate.sources) if isinstance(rate, Rate) else [],
            "implied": rate.implied if isinstance(rate, Rate) else rate.fields.get("implied"),
            "anchor_usd": rate.anchor_usd if isinstance(rate, Rate) else None,
            "anchored_at": rate.anchored_at if isinstance(rate, Rate) else None,
            **_reason(rate if isinstance(rate, Refusal) else None),
        }
        for currency, rate in found.rates.items()
    ]


def fact_rows(
    found: Round,
    attempts: Mapping[str, Sequence[Row]],
    endpoints: Mapping[str, str],
    costs: Mapping[str, float],
    load_id: str,
) -> list[Row]:
    """What each source did: `attempts` by source are rows of `ops.calls`. Whose response was shared made no call, and
    has no fact.
    """
    quotes: dict[str, list[Quote]] = {}
    for quote in found.quotes:
        quotes.setdefault(quote.source, []).append(quote)
    members: dict[str, list[tuple[Consensus, Member]]] = {}
    for one in found.consensus:
        for member in one.members:
            members.setdefault(member.source, []).append((one, member))
    rows: list[Row] = []
    for source, all_ in attempts.items():
        own = [attempt for attempt in all_ if attempt["endpoint"] == endpoints[source]]
        if not own:
            continue
        last = next((attempt for attempt in own if attempt["outcome"] == "ok"), own[-1])
        sent = [attempt for attempt in all_ if attempt["outcome"] != "deadline"]
        # A quote without a price in USD for want of a conversion is no fault of its source.
        usable = [quote for quote in quotes.get(source, ()) if quote.price is not None and not _own_fault(quote)]
        rejected = sum(member.role == "rejected" and one.price is not None for one, member in members.get(source, ()))
        off = [member.deviation for _, member in members.get(source, ()) if member.deviation is not None]
        rows.append(
            {
                "load_id": load_id,
                "priced_at": found.at,
                "source": source,
                "outcome": last["outcome"],
                "latency_s": last["latency_s"],
                "votes": len(usable),
                "rejected": rejected,
                "age_s": median(quote.age_s for quote in usable) if usable else None,
                "lowest": min(off, default=None),
                "deviation": median(off) if off else None,
                "highest": max(off, default=None),
                "calls": len(sent),
                "bytes": sum(attempt["bytes"] for attempt in sent),
                "cost": costs[source] * len(sent),
                "retry_at": _retry_at(own[-1]),
            }
        )
    return rows


def health_rows(healths: Mapping[str, Health], before: Iterable[Row], at: datetime) -> list[Row]:
    since = {row["source"]: (row["state"], row["since"]) for row in before}
    rows: list[Row] = []
    for source, one in healths.items():
        state, began = since.get(source, ("", at))
        rows.append(
            {
                **vars(one),
                "source": source,
                "since": began if state == one.state and began <= at else at,
                "reasons": [{"code": reason.code, "fields": reason.fields} for reason in one.reasons],
                "checked_at": at,
            }
        )
    return rows


def _quote(quote: Quote, member: Member | None, coins: set[str], at: datetime, load_id: str) -> Row:
    if quote.refusal is not None:
        role = "refused"
    elif quote.coin not in coins:
        role = "rate"
    elif member is None or member.market != quote.market:
        role = "spare"
    else:
        role = member.role
    voted = member if role in ("used", "rejected", "witness") else None
    return {
        "load_id": load_id,
        "priced_at": at,
        "source": quote.source,
        "symbol": quote.coin,
        "market": quote.market,
        "currency": quote.currency,
        "bid": quote.bid,
        "ask": quote.ask,
        "last": quote.last,
        "mid": quote.mid,
        "volume": quote.volume,
        "source_time": quote.source_time,
        "time_kind": quote.time_kind,
        "received_at": quote.received_at,
        "age_s": quote.age_s,
        "price": quote.price,
        "basis": quote.basis,
        "usd_price": quote.usd,
        "usd_rate": quote.rate,
        "rate_age_s": quote.rate_age_s,
        "role": role,
        "deviation": voted.deviation if voted else None,
        **_reason(quote.refusal or (voted.reason if voted else None)),
    }


def _latest(one: Consensus, old: Row | None, at: datetime, load_id: str) -> Row:
    known = Latest(one.coin, old["price"], old["priced_at"]) if old and old["price"] is not None else None
    found = latest(one, known)
    return {
        "symbol": one.coin,
        "price": found.price if found else None,
        "priced_at": found.at if found else None,
        "stale": one.price is None,
        "reason": one.reason.code if one.reason else None,
        "used": one.used,
        "rejected": one.rejected,
        "spread": one.spread,
        "confidence": one.confidence,
        "checked_at": at,
        "load_id": load_id,
    }


def _reason(reason: Refusal | None) -> dict[str, Any]:
    return {
        "reason": reason.code if reason else None,
        "detail": dict(reason.fields) if reason and reason.fields else None,
    }


def _own_fault(quote: Quote) -> bool:
    return quote.refusal is not None and quote.refusal.code in ("stands_still", "too_old", "from_the_future")


def _retry_at(attempt: Row) -> datetime | None:
    wait_s = attempt.get("retry_after_s")
    if attempt["outcome"] == "ok" or not wait_s:
        return None
    ended_at = datetime.fromisoformat(attempt["started_at"]) + timedelta(seconds=attempt["latency_s"])
    return ended_at + timedelta(seconds=wait_s)
