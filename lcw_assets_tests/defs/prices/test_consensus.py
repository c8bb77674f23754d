"""What many quotes add up to: worked by hand, and whatever two of seven say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.prices.consensus import Consensus, Member, Method, make_consensus
from lcw_assets.defs.prices.quotes import Quote, make_quote
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets_tests.defs.prices.venues import AT, Sent


def quote(source: str, usd: float | None, volume: float | None = None, market: str = "BTC/USD") -> Quote:
    """One without a price has a zero for it, and is refused."""
    ticker = Sent(market, None, None, usd or 0.0, volume)
    return make_quote(ticker, source=source, coin="BTC", currency="USD", received_at=AT, at=AT)


def of(prices: Mapping[str, float | None], **more: Any) -> Consensus:
    return make_consensus("BTC", AT, [quote(name, usd) for name, usd in prices.items()], prices, **more)


def named(*prices: float) -> dict[str, float]:
    return {f"source{place}": usd for place, usd in enumerate(prices)}


def roles(found: Consensus) -> dict[str, str]:
    return {member.source: member.role for member in found.members}


def test_a_recorded_minute() -> None:
    """Bitcoin on 2026-07-27 at 09:52 UTC; OKX's 65,304 USDT at the 0.99908 of Kraken."""
    found = of({"kraken": 65_231.8, "coinbase": 65_237.0, "bitstamp": 65_236.6, "okx": 65_243.9})
    assert found.price == pytest.approx(65_236.8, abs=1e-9)
    assert found.spread == pytest.approx(1.855e-4, abs=1e-7)
    assert (found.requested, found.received, found.used, found.rejected, found.reason) == (4, 4, 4, 0, None)


def test_worked_by_hand_with_two_out() -> None:
    """Median 100.03; deviations .03 .02 .01 0 .02 .97 49.97, so MAD .02, and 4.4478 x .02 is less than the floor.

    Of the five that are left the median is 100.02, and the deviations from it .02 .01 0 .01 .03.
    """
    found = of(named(100.00, 100.01, 100.02, 100.03, 100.05, 101.0, 150.0))
    assert (found.price, found.used, found.rejected) == (100.02, 5, 2)
    assert found.spread == pytest.approx(0.05 / 100.02)
    assert found.mad == pytest.approx(0.01)
    assert found.confidence == pytest.approx(5 / 7 * 0.002 / (0.002 + 0.05 / 100.02))
    out = found.members[5]
    assert (out.source, out.role) == ("source5", "rejected")
    assert out.deviation == pytest.approx(101 / 100.02 - 1)
    assert out.reason is not None
    assert out.reason.code == "outlier"
    assert out.reason.fields == {"center": 100.03, "limit": pytest.approx(0.20006)}


def test_where_prices_scatter_the_median_absolute_deviation_decides() -> None:
    """Median 100, deviations 1 .5 0 .5 1 2.3 and 2.2: MAD 1, so that the limit is 4.4478; without scatter 0.2."""
    assert of(named(99, 99.5, 100, 100.5, 101, 102.3, 97.8)).rejected == 0
    assert of(named(99.99, 99.99, 100, 100.01, 100.01, 102.3, 97.8)).rejected == 2


def test_equal_prices_reject_nobody_who_is_close() -> None:
    found = of(named(100, 100, 100, 100, 100.19))
    assert (found.price, found.rejected, found.mad) == (100, 0, 0)


def test_who_was_requested_and_sent_nothing_usable_is_named() -> None:
    found = of({"kraken": 100.0, "okx": 100.0, "bybit": 100.0, "binance": None})
    absent = make_consensus("BTC", AT, [], ["kraken"])
    assert roles(found) == {"kraken": "used", "okx": "used", "bybit": "used", "binance": "refused"}
    assert found.members[0].reason == Refusal("zero_price", {"field": "last", "value": 0.0})
    assert (found.requested, found.received, found.used) == (4, 3, 3)
    assert absent.members == (Member("kraken", "missing", None, None, False, Refusal("missing")),)


def test_no_quorum_is_a_result_with_a_reason() -> None:
    for prices, used in [(named(), 0), (named(100), 1), (named(100, 100), 2)]:
        found = of(prices)
        assert (found.price, found.confidence) == (None, 0.0)
        assert found.reason == Refusal("no_quorum", {"used": used, "quorum": 3})
        assert (found.center is None) == (used == 0)


def test_quorum_counts_who_is_left_after_rejection() -> None:
    found = of(named(100, 100, 150))
    assert (found.price, found.received, found.rejected) == (None, 3, 1)
    assert found.reason == Refusal("no_quorum", {"used": 2, "quorum": 3})


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ((100, 100, 100, 100, 103, 103, 103), 100),  # four of seven are a majority
        ((100, 100, 100, 103, 103, 103), None),  # the middle is nobody's price
        ((100, 100, 103, 103), None),
        ((100, 100, 100, 103, 103), 100),
        ((100, 103, 103), None),  # two of three agree, and two may lie
        ((100, 100.05, 100.1), 100.05),
    ],
)
def test_two_camps(prices: tuple[float, ...], expected: float | None) -> None:
    found = of(named(*prices))
    assert found.price == expected
    assert found.reason is None or found.reason.code in ("no_agreement_of_sources", "no_quorum")


def test_witnesses_never_vote_and_their_deviation_is_known() -> None:
    prices = {**named(100, 100, 100), "lcw": 110.0, "coingecko": 110.0}
    found = of(prices, witnesses={"lcw", "coingecko"})
    assert (found.price, found.requested, found.used) == (100, 3, 3)
    lcw = next(member for member in found.members if member.source == "lcw")
    assert lcw.role == "witness"
    assert lcw.deviation == pytest.approx(0.1)
    assert of({**named(100, 100), "lcw": 100.0}, witnesses={"lcw"}).price is None


def test_a_source_has_one_vote_however_many_books_it_shows() -> None:
    twice = [quote("coinbase", 105.0, 1.0, "BTC-PERP"), quote("coinbase", 100.0, 9.0, "BTC-USD")]
    found = make_consensus("BTC", AT, [*twice, quote("kraken", 100.0)], ["coinbase", "kraken"])
    assert found.reason == Refusal("no_quorum", {"used": 2, "quorum": 3})
    assert [(member.source, member.usd) for member in found.members] == [("coinbase", 100.0), ("kraken", 100.0)]


def test_the_weighted_median_goes_where_the_volume_is() -> None:
    """Weights 40 and 20 three times, of 100: half is reached between the two lowest of 20 and the next."""
    quotes = [quote("a", 100.0, 40), quote("b", 100.01, 20), quote("c", 100.02, 20), quote("d", 100.03, 20)]
    found = make_consensus("BTC", AT, quotes, "abcd", method="volume")
    assert found.price == 100.01
    heavy = [quote("a", 100.0, 20), quote("b", 100.01, 20), quote("c", 100.02, 20), quote("d", 100.03, 40)]
    assert make_consensus("BTC", AT, heavy, "abcd", method="volume").price == 100.02


def test_a_made_up_volume_does_not_buy_the_price() -> None:
    """Two sources with all of the volume have at most 80 % of the weight, and cannot reject the honest ones."""
    quotes = [quote(name, 100 + 0.01 * place, 1.0) for place, name in enumerate("abcde")]
    lies = [quote("x", 100.19, 1e15), quote("y", 100.19, 1e15)]
    found = make_consensus("BTC", AT, [*quotes, *lies], "abcdexy", method="volume")
    assert found.price is not None
    assert 100 <= found.price <= 100.04
    assert found.rejected == 0


METHODS = st.sampled_from(["median", "volume"])
USD = st.floats(1e-6, 1e6)
VOLUME = st.none() | st.floats(0, 1e15)
SEVEN = st.lists(st.tuples(USD, VOLUME), min_size=7, max_size=7)
NEAR = st.floats(0.99, 1.01)


@given(SEVEN, st.integers(0, 2), METHODS)
def test_with_up_to_two_liars_of_seven_it_is_within_what_the_honest_ones_say(
    all_sent: list[tuple[float, float | None]], liars: int, method: Method
) -> None:
    """Whatever the five or more say, however far apart, and whatever volumes the liars claim."""
    quotes = [quote(f"s{place}", usd, volume) for place, (usd, volume) in enumerate(all_sent)]
    found = make_consensus("BTC", AT, quotes, [one.source for one in quotes], method=method)
    honest = [usd for usd, _ in all_sent[liars:]]
    if found.price is not None:
        assert min(honest) <= found.price <= max(honest)


@given(st.lists(st.floats(0.9999, 1.0001), min_size=5, max_size=5), st.lists(USD, min_size=2, max_size=2), METHODS)
def test_where_the_honest_ones_agree_two_liars_cannot_prevent_a_price_either(
    honest: list[float], lies: list[float], method: Method
) -> None:
    found = of(named(*honest, *lies), method=method)
    assert found.price is not None
    assert min(honest) <= found.price <= max(honest)


@given(st.lists(st.tuples(NEAR, VOLUME), min_size=0, max_size=8), METHODS, st.randoms())
def test_the_order_of_the_sources_does_not_matter(
    all_sent: list[tuple[float, float | None]], method: Method, random: Any
) -> None:
    quotes = [quote(f"s{place}", usd, volume) for place, (usd, volume) in enumerate(all_sent)]
    names = [one.source for one in quotes]
    found = make_consensus("BTC", AT, quotes, names, method=method)
    random.shuffle(quotes)
    random.shuffle(names)
    assert make_consensus("BTC", AT, quotes, names, method=method) == found


@given(st.lists(NEAR, min_size=0, max_size=8), METHODS, st.integers(-40, 40))
def test_all_prices_scaled_scale_the_result(prices: list[float], method: Method, power: int) -> None:
    """By a power of two, which is exact: also what is rejected, and the confidence."""
    one, other = of(named(*prices), method=method), of(named(*(usd * 2.0**power for usd in prices)), method=method)
    assert other.price == (None if one.price is None else one.price * 2.0**power)
    assert roles(other) == roles(one)
    assert (other.spread, other.confidence) == (one.spread, one.confidence)


@given(st.lists(st.none() | NEAR | st.just(0.0), min_size=0, max_size=9))
def test_the_counts_add_up(prices: list[float | None]) -> None:
    found = of({f"s{place}": usd for place, usd in enumerate(prices)})
    counted = [member.role for member in found.members]
    assert len(counted) == found.requested == len(prices)
    assert counted.count("used") == found.used == found.received - found.rejected
    assert counted.count("rejected") == found.rejected
    assert (found.price is None) == (found.reason is not None)
    assert 0 <= found.confidence <= 1
