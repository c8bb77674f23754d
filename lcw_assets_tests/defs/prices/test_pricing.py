"""Rounds of seven exchanges, some of which fail and lie: a price that is right, or none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.pricing import Response, Round, Rules, price_round
from lcw_assets.defs.prices.quotes import Past
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets_tests.defs.prices.venues import (
    AT,
    COINS,
    INSTRUMENTS,
    LAST_RATE,
    SEVEN,
    TRUE,
    USDT,
    Lie,
    Sent,
    another_symbol,
    no_numbers,
    nothing,
    scaled,
    sent,
    swapped,
    tomorrow,
    yesterday,
    zeros,
)


def priced(responses: list[Response], at: datetime = AT, **more: Any) -> Round:
    more = {"last_rates": {"USDT": LAST_RATE}, **more}
    return price_round(responses, INSTRUMENTS, COINS, SEVEN, at, **more)


def roles(found: Round, coin: str = "BTC") -> dict[str, str]:
    return {member.source: member.role for one in found.consensus if one.coin == coin for member in one.members}


def test_a_good_round() -> None:
    found = priced([sent(source) for source in SEVEN], last_rates={})
    assert [one.coin for one in found.consensus] == list(COINS)
    for one in found.consensus:
        assert one.price == pytest.approx(TRUE[one.coin], rel=1e-9)
        assert one.requested == one.used == (4 if one.coin == "BNB" else 7)
        assert one.converted == ("binance", "bybit", "kucoin_spot", "okx")
    assert sum(quote.coin == "USDT" for quote in found.quotes) == 4


def test_one_round_by_hand_to_the_last_digit() -> None:
    """Recorded on 2026-07-27, but for Coinbase's USDT-USD and Bitstamp's USDT/USD, which no recording has.

    Rates: mids .99905 (Kraken) and .9990 (OKX), last .99907 (Coinbase): the median is .99905.
    OKX: 65304.5 x .99905 = 65304.5 - 62.039275 = 65242.460725.
    Median of 65231.95, 65236.5, 65237 and 65242.460725: 65236.75.
    Deviations 4.8, .25, .25, 5.710725, so that MAD is 2.525, and the limit max(11.230695, 130.4735): nobody is out.
    Spread: 10.510725 / 65236.75. Confidence: 4 / 7 of .002 / (.002 + spread); three sent nothing.
    """
    at = datetime(2026, 7, 27, 9, 52, 19, tzinfo=timezone.utc)
    okx = datetime(2026, 7, 27, 9, 52, 18, 264_000, tzinfo=timezone.utc)
    bitstamp = datetime(2026, 7, 27, 9, 52, 17, tzinfo=timezone.utc)
    found = price_round(
        [
            Response("kraken", at, [Sent("XXBTZUSD", 65231.9, 65232.0, 65231.8),
                                    Sent("USDTZUSD", 0.9990, 0.9991, 0.99908)]),
            Response("coinbase", at, [Sent("BTC-USD", None, None, 65237.0), Sent("USDT-USD", None, None, 0.99907)]),
            Response("bitstamp", at, [Sent("BTC/USD", 65236.0, 65237.0, 65236.6, 100.0, bitstamp, "answer")]),
            Response("okx", at, [Sent("BTC-USDT", 65304.0, 65305.0, 65304.0, 3_475.8, okx, "trade"),
                                 Sent("USDT-USD", 0.9989, 0.9991, 0.999, None, okx, "trade")]),
        ],
        INSTRUMENTS, ["BTC"], SEVEN, at,
    )  # fmt: skip
    [btc] = found.consensus
    rate = found.rates["USDT"]
    assert isinstance(rate, Rate)
    assert rate.usd == pytest.approx(0.99905, abs=1e-15)
    assert btc.price == 65236.75
    assert {member.source: member.usd for member in btc.members if member.usd} == {
        "bitstamp": 65236.5, "coinbase": 65237.0, "kraken": 65231.95, "okx": pytest.approx(65242.460725, abs=1e-9),
    }  # fmt: skip
    assert btc.mad == pytest.approx(2.525, abs=1e-9)
    assert btc.spread == pytest.approx(10.510725 / 65236.75, rel=1e-9)
    assert btc.confidence == pytest.approx(4 / 7 * 0.002 / (0.002 + 10.510725 / 65236.75))
    assert [quote.age_s for quote in found.quotes] == [0, 0, 0, 0, 2, 0.736, 0.736]


def test_unconverted_usdt_would_be_a_silent_bias_and_a_depeg_shows_as_one() -> None:
    """USDT falls by 5 % within a minute: the books in USDT rise, and the price in USD stays."""
    found = priced([sent(source, usdt=0.95) for source in SEVEN])
    rate = found.rates["USDT"]
    assert isinstance(rate, Rate)
    assert rate.usd == pytest.approx(0.95)
    assert found.consensus[0].price == pytest.approx(TRUE["BTC"], rel=1e-9)


@pytest.mark.parametrize("lie", [scaled(1.5), swapped, yesterday, tomorrow, zeros, no_numbers, another_symbol, nothing])
@pytest.mark.parametrize("liar", SEVEN)
def test_one_that_lies_is_left_out_by_name_and_the_price_stays(liar: str, lie: Lie) -> None:
    found = priced([sent(source, lie=lie if source == liar else None) for source in SEVEN])
    if liar == "coinbase" and lie is swapped:
        return  # it sends no book
    assert found.consensus[0].price == pytest.approx(TRUE["BTC"], rel=1e-9)
    assert {name for name, role in roles(found).items() if role != "used"} == {liar}


def test_one_that_drifts_by_a_percent_an_hour_is_out_once_it_is_a_fifth_of_a_percent_off() -> None:
    first_out = None
    for minute in range(60):
        drift = scaled(1 + 0.01 * minute / 60)
        found = priced([sent(source, lie=drift if source == "bybit" else None) for source in SEVEN])
        assert found.consensus[0].price == pytest.approx(TRUE["BTC"], rel=1e-9)
        if roles(found)["bybit"] == "rejected":
            first_out = first_out or minute
    assert first_out == 13, "0.2 % are 12 minutes"


def test_one_that_stands_still_while_the_others_move_is_refused_whatever_its_time_says() -> None:
    history = {}
    for quote in priced([sent(source) for source in SEVEN]).quotes:
        assert quote.price is not None
        steps = [1 - 0.0001 * (9 - step) if quote.source != "kraken" else 1 for step in range(9)]
        history[quote.source, quote.market] = Past(9, quote.price * min(steps), quote.price * max(steps))
    found = priced([sent(source, true={**TRUE, "BTC": TRUE["BTC"] * 1.0006}) for source in SEVEN], history=history)
    assert roles(found)["kraken"] == "used", "it moved in this round"
    stuck = [
        sent(source, true=TRUE if source == "kraken" else {**TRUE, "BTC": TRUE["BTC"] * 1.0006}) for source in SEVEN
    ]
    assert roles(priced(stuck, history=history))["kraken"] == "refused"
    assert roles(priced(stuck))["kraken"] == "used", "without a history nobody knows"


def test_all_but_one_out_and_all_out() -> None:
    for responses, used in [([sent("kraken")], 1), ([], 0)]:
        for one in priced(responses).consensus[:5]:
            assert (one.price, one.reason) == (None, Refusal("no_quorum", {"used": used, "quorum": 3}))
            assert one.requested == 7, "who did not respond is counted, and named"


def test_our_own_clock_being_wrong_ends_in_no_price_and_says_so() -> None:
    late = priced([sent(source, at=AT) for source in SEVEN], at=AT + timedelta(hours=1))
    assert late.consensus[0].reason == Refusal("no_quorum", {"used": 0, "quorum": 3})
    assert {quote.refusal.code for quote in late.quotes if quote.refusal} == {"too_old"}


def test_who_holds_most_of_the_usd_books_and_the_rate_may_cause_absence_and_no_wrong_price() -> None:
    """Kraken and Coinbase raise all prices and the USDT by a percent, in agreement; Bitstamp is down."""
    up = [source for source in SEVEN if source != "bitstamp"]
    responses = [sent(source, lie=scaled(1.01) if source in ("kraken", "coinbase") else None) for source in up]
    assert [one.price for one in priced(responses, last_rates={}).consensus] == [None] * 6
    assert [one.price for one in priced(responses).consensus] == [None] * 6, "one of three says so still: too few"


def test_an_average_of_exchanges_does_not_measure_the_rate_either() -> None:
    """Two sources trade USDT, and CoinGecko says the same: that is two."""
    coingecko = Response("coingecko", AT, [Sent("tether", None, None, USDT), Sent("bitcoin", None, None, TRUE["BTC"])])
    found = priced([sent("coinbase"), sent("kraken"), sent("binance"), coingecko], last_rates={})
    rate = found.rates["USDT"]
    assert isinstance(rate, Refusal)
    assert (rate.code, rate.fields["agree"], rate.fields["votes"]) == ("no_agreement", 2, 2)
    assert roles(found)["coingecko"] == "witness"


def test_a_quote_that_is_refused_does_not_measure_the_rate() -> None:
    found = priced([sent(source, lie=yesterday if source == "kraken" else None) for source in SEVEN])
    rate = found.rates["USDT"]
    assert isinstance(rate, Rate)
    assert rate.sources == ("bitstamp", "coinbase", "okx")


LIES: st.SearchStrategy[Lie] = st.one_of(
    st.sampled_from([swapped, yesterday, tomorrow, zeros, no_numbers, another_symbol, nothing]),
    st.builds(scaled, st.floats(0.5, 1.5)),
    st.builds(scaled, st.floats(0.997, 1.003)),
    st.builds(scaled, st.floats(0.997, 1.003), st.sets(st.sampled_from([*COINS, "USDT"]))),
)
LIARS = st.one_of(
    st.dictionaries(st.sampled_from(SEVEN), LIES, max_size=2),
    # The same lie by two.
    st.builds(lambda names, lie: dict.fromkeys(sorted(names), lie), st.sets(st.sampled_from(SEVEN), max_size=2), LIES),
)
METHODS = st.sampled_from(["median", "volume"])
OFF = st.fixed_dictionaries({source: st.floats(-5e-5, 5e-5) for source in SEVEN})


def worst_error(found: Round) -> float:
    return max((abs(one.price / TRUE[one.coin] - 1) for one in found.consensus if one.price), default=0.0)


@settings(max_examples=300)
@given(LIARS, st.sets(st.sampled_from(SEVEN), max_size=5), OFF, METHODS, st.booleans())
def test_up_to_two_liars_of_seven_never_make_it_wrong_whoever_else_is_down(
    liars: Mapping[str, Lie], down: set[str], off: Mapping[str, float], method: Any, first: bool
) -> None:
    """Within 0.1 % of the true price, though the honest ones are off themselves by up to 0.005 %; or there is none."""
    responses = [sent(name, off=off[name], lie=liars.get(name)) for name in SEVEN if name in liars or name not in down]
    found = priced(responses, rules=Rules(method=method), last_rates={} if first else {"USDT": LAST_RATE})
    assert worst_error(found) <= 0.001


@settings(max_examples=300)
@given(LIARS, OFF, METHODS)
def test_with_all_seven_up_two_liars_cannot_prevent_a_price(
    liars: Mapping[str, Lie], off: Mapping[str, float], method: Any
) -> None:
    """Of the coins that all seven trade; BNB has four books, of which two may lie."""
    responses = [sent(name, off=off[name], lie=liars.get(name)) for name in SEVEN]
    found = priced(responses, rules=Rules(method=method))
    assert all(one.price is not None for one in found.consensus if one.coin != "BNB")
    assert worst_error(found) <= 0.001


@given(st.randoms())
def test_the_order_of_responses_and_tickers_does_not_matter(random: Any) -> None:
    responses = [sent(source, off=1e-5 * place) for place, source in enumerate(SEVEN)]
    found = priced(responses)
    shuffled = [
        Response(one.source, one.received_at, random.sample(list(one.tickers), len(one.tickers))) for one in responses
    ]
    random.shuffle(shuffled)
    again = priced(shuffled)
    assert (again.consensus, again.rates) == (found.consensus, found.rates)


def test_what_has_no_meaning_has_no_price() -> None:
    unknown = Response("kraken", AT, [Sent("AIOUSD", 1, 1, 1), Sent("BTC-USD", 9, 9, 9)])
    assert priced([unknown]).quotes == ()


def test_usdt_is_measured_even_where_it_is_among_the_coins() -> None:
    found = price_round([sent(source) for source in SEVEN], INSTRUMENTS, ["USDT"], SEVEN, AT)
    assert found.consensus[0].price == pytest.approx(USDT)
    assert found.consensus[0].requested == 4
