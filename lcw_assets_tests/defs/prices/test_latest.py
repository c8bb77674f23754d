"""The last good price stays, with its age, and is called stale."""

from __future__ import annotations

from datetime import timedelta

from lcw_assets.defs.prices.consensus import Consensus, make_consensus
from lcw_assets.defs.prices.latest import Latest, latest
from lcw_assets.defs.prices.quotes import make_quote
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets_tests.defs.prices.venues import AT, Sent

NO_QUORUM = Refusal("no_quorum", {"used": 0, "quorum": 3})


def consensus(minute: int, usd: float | None) -> Consensus:
    at = AT + timedelta(minutes=minute)
    quotes = [
        make_quote(Sent("X", usd, usd, usd), source=name, coin="BTC", currency="USD", received_at=at, at=at)
        for name in ("bitstamp", "coinbase", "kraken")
        if usd
    ]
    return make_consensus("BTC", at, quotes, [])


def test_a_price_lasts_until_there_is_a_newer_one() -> None:
    first = latest(consensus(0, 100.0), None)
    assert first == Latest("BTC", 100.0, AT)
    assert first.stale is False
    second = latest(consensus(1, None), first)
    assert second == Latest("BTC", 100.0, AT, NO_QUORUM)
    assert (second.stale, second.age_s(AT + timedelta(minutes=1))) == (True, 60.0)
    assert latest(consensus(2, 101.0), second) == Latest("BTC", 101.0, AT + timedelta(minutes=2))


def test_a_coin_that_never_had_a_price_has_none() -> None:
    assert latest(consensus(0, None), None) is None


def test_a_round_that_is_stored_late_changes_nothing() -> None:
    now = latest(consensus(5, 100.0), None)
    assert latest(consensus(4, 90.0), now) == now
