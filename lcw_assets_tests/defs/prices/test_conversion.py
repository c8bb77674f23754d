"""What a USDT is in USD: measured, by three who agree; and what serves while they do not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lcw_assets.defs.prices.conversion import Rate, implied_rate, measure
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets_tests.defs.prices.venues import AT, LAST_RATE, USDT

HONEST = {"bitstamp": 0.99910, "coinbase": 0.99907, "kraken": 0.99905, "okx": 0.99900}


def code(found: Rate | Refusal) -> str:
    assert isinstance(found, Refusal)
    return found.code


def test_it_is_the_median_of_those_who_trade_it() -> None:
    found = measure("USDT", HONEST, 0.99908, None, AT)
    assert isinstance(found, Rate)
    assert found.usd == pytest.approx(0.99906, abs=1e-12)
    assert (found.measured_at, found.sources) == (AT, ("bitstamp", "coinbase", "kraken", "okx"))


def test_a_depeg_that_the_books_imply_shows_at_once() -> None:
    depeg = {name: 0.9 * usd for name, usd in HONEST.items()}
    found = measure("USDT", depeg, 0.9 * 0.9991, LAST_RATE, AT)
    assert isinstance(found, Rate)
    assert found.usd == pytest.approx(0.899154)


def test_a_jump_that_the_books_do_not_imply_is_not_believed() -> None:
    jump = {name: 1.01 * usd for name, usd in HONEST.items()}
    assert measure("USDT", jump, USDT, LAST_RATE, AT) == Refusal(
        "last_rate_deserted", {"near": 0, "votes": 4, "cause": "no_agreement"}
    )
    assert code(measure("USDT", jump, None, LAST_RATE, AT)) == "last_rate_deserted", "no books are no agreement"
    assert code(measure("USDT", jump, USDT, None, AT)) == "no_agreement"


def test_two_liars_cannot_move_it_and_the_last_good_one_serves_with_its_age() -> None:
    lies = {**HONEST, "kraken": 1.02, "coinbase": 1.02}
    assert measure("USDT", lies, None, LAST_RATE, AT) == LAST_RATE
    assert measure("USDT", {}, None, LAST_RATE, AT) == LAST_RATE, "nor can those who are silent"
    later = AT + timedelta(minutes=5)
    assert measure("USDT", lies, None, LAST_RATE, later) == Refusal(
        "last_rate_too_old", {"age_s": 360.0, "limit_s": 300.0, "cause": "no_agreement"}
    )
    assert code(measure("USDT", {}, None, None, AT)) == "no_conversion"


def test_where_the_books_of_coins_imply_another_rate_the_last_one_does_not_serve() -> None:
    """Two liars who say the old rate in a depeg, or a new one and lie about coins as well: nobody can tell."""
    old = {"kraken": USDT, "coinbase": USDT, "bitstamp": 0.95, "okx": 0.95}
    found = measure("USDT", old, 0.95, LAST_RATE, AT)
    assert found == Refusal("last_rate_contested", {"implied": 0.95, "last": USDT, "cause": "no_agreement"})


def test_two_who_are_left_carry_it_on_and_cannot_lead_it_away() -> None:
    """Of four who trade it two are out, for half an hour."""
    rate: Rate | Refusal = LAST_RATE
    for minute in range(1, 31):
        true = USDT * (1 + 2e-5 * minute)
        assert isinstance(rate, Rate)
        rate = measure("USDT", {"bitstamp": true, "okx": true * 1.0001}, None, rate, AT + timedelta(minutes=minute))
        assert isinstance(rate, Rate)
        assert rate.usd == pytest.approx(true, rel=0.0001)
        assert (rate.measured_at, rate.anchor) == (AT + timedelta(minutes=minute), LAST_RATE.anchor)
    for minute in range(31, 60):
        lie = USDT * (1 + 2e-5 * minute * minute)
        assert isinstance(rate, Rate)
        rate = measure("USDT", {"bitstamp": lie, "okx": lie}, None, rate, AT + timedelta(minutes=minute))
        if isinstance(rate, Refusal):
            break
        assert rate.usd == pytest.approx(USDT, rel=0.001)
    assert code(rate) == "last_rate_deserted"


def test_one_who_is_left_confirms_the_rate_that_three_agreed_on_for_an_hour() -> None:
    found = measure("USDT", {"okx": USDT * 1.0005}, None, LAST_RATE, AT + timedelta(minutes=50))
    assert isinstance(found, Rate)
    assert (found.usd, found.measured_at) == (USDT, LAST_RATE.measured_at)
    assert code(measure("USDT", {"okx": USDT}, None, LAST_RATE, AT + timedelta(minutes=60))) == "last_rate_too_old"


def test_half_of_them_are_enough_if_the_books_imply_the_same() -> None:
    lies = {"bitstamp": USDT, "okx": USDT, "coinbase": 1.02, "kraken": 1.02}
    later = AT + timedelta(minutes=30)
    found = measure("USDT", lies, USDT * 1.001, LAST_RATE, later)
    assert isinstance(found, Rate)
    assert (found.usd, found.sources) == (USDT, ("bitstamp", "okx"))
    assert code(measure("USDT", lies, None, LAST_RATE, later)) == "last_rate_too_old"


def test_two_liars_of_three_cannot_set_the_first_one_either() -> None:
    found = measure("USDT", {"kraken": 1.02, "coinbase": 1.02, "okx": 0.999}, 1.02, None, AT)
    assert found == Refusal(
        "no_agreement", {"currency": "USDT", "measured": 1.02, "agree": 2, "votes": 3, "implied": 1.02}
    )


def test_two_liars_cannot_creep_away_with_it_step_by_step() -> None:
    rate: Rate | Refusal = LAST_RATE
    for minute in range(1, 60):
        assert isinstance(rate, Rate)
        lie = USDT * 1.0004**minute
        direct = {"bitstamp": USDT, "okx": USDT, "coinbase": lie, "kraken": lie}
        rate = measure("USDT", direct, None, rate, AT + timedelta(minutes=minute))
        if isinstance(rate, Refusal):
            break
        assert rate.usd == pytest.approx(USDT, rel=0.0003)
    assert code(rate) == "last_rate_too_old"


def test_what_the_books_imply_by_hand() -> None:
    usd = {"BTC": [99.9, 100.0, 100.1], "ETH": [9.89, 9.91], "SOL": [1.0], "XRP": [2.0, 2.0]}
    usdt = {"BTC": [100.0, 100.0, 100.2], "ETH": [10.0, 10.0], "SOL": [9.0, 9.0], "XRP": [2.5, 2.5]}
    assert implied_rate(usd, usdt) == 0.99, "of 100/100, 9.9/10 and 2/2.5 the median; SOL has one book in USD"
    assert implied_rate(usd, {}) is None


def test_books_that_are_apart_imply_nothing() -> None:
    usdt = {"BTC": [100.0, 100.0]}
    assert implied_rate({"BTC": [100.0, 95.0, 95.0]}, usdt) is None
    assert implied_rate({"BTC": [100.0, 100.31]}, usdt) is None
    assert implied_rate({"BTC": [100.0, 100.29]}, usdt) == pytest.approx(1.00145)
