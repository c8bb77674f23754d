"""What an exchange makes of the market: its coins and its prices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.simulator.market import COINS, Market
from lcw_assets.simulator.venue import Venue, tick_digits

MINUTE = 29_920_000
market = Market(seed=1)

minutes = st.integers(MINUTE, MINUTE + 1_000_000)


@given(minutes, st.sampled_from([20, 100, 500, 5_000]))
def test_it_trades_about_as_many_coins_as_it_has_places_and_each_once(minute: int, places: int) -> None:
    coins = list(Venue(market, "kraken", places).coins(minute))
    assert 0.97 * places < len(coins) <= places
    assert len({coin.ticker for coin in coins}) == len(coins)
    assert coins == list(Venue(Market(1), "kraken", places).coins(minute))


@given(minutes)
def test_it_trades_what_the_market_has_then_and_nothing_that_others_are_quoted_in(minute: int) -> None:
    for coin in Venue(market, "kraken", 200).coins(minute):
        assert market.find(coin.code, minute) == coin
        assert coin.ticker
        assert coin.ticker not in ("USDT", "USDC", "DAI", "STETH")


def test_it_trades_no_coin_that_is_dead() -> None:
    coins = list(Venue(market, "kraken", COINS).coins(MINUTE))
    assert max(coin.slot for coin in coins) < COINS - 500
    assert all(market.traded(coin) for coin in coins)
    assert not market.traded(market.listing(COINS - 1, MINUTE))


def test_every_venue_has_the_leaders_and_a_choice_of_its_own() -> None:
    kraken, okx = ({coin.ticker for coin in Venue(market, name, 300).coins(MINUTE)} for name in ("kraken", "okx"))
    assert kraken & okx >= {"BTC", "ETH", "SOL", "XRP", "DOGE", "BNB"}
    assert 50 < len(kraken & okx) < 200


def test_places_end_where_the_coins_do() -> None:
    venue = Venue(market, "kraken", COINS)
    assert 31_400 < len({coin.slot for coin in venue.coins(MINUTE)}) < COINS
    assert venue.coin(venue.most_places - 1, MINUTE) is None  # dead
    assert venue.coin(venue.most_places, MINUTE) is None


@given(minutes, st.integers(0, 299), st.integers(0, 59))
def test_prices_differ_by_little_between_venues_at_any_second(minute: int, place: int, second: int) -> None:
    kraken, okx = Venue(market, "kraken", 300), Venue(market, "okx", 300)
    coin, moment = kraken.coin(place, minute), minute + second / 60
    assert coin
    prices = {kraken.price(coin, moment), okx.price(coin, moment), market.price(coin, moment)}
    assert len(prices) == 3
    assert max(prices) / min(prices) < 1 + (0.0002 if coin.slot == 0 else 0.002)
    for venue in (kraken, okx):
        assert venue.price(coin, moment + 1 / 60) == pytest.approx(venue.price(coin, moment), rel=5e-4)


def test_a_price_in_tether_is_more_where_tether_is_less() -> None:
    venue, bitcoin = Venue(market, "okx", 100), market.listing(0, MINUTE)
    ratio = venue.price(bitcoin, MINUTE, "USDT") / venue.price(bitcoin, MINUTE)
    assert ratio == pytest.approx(1 / market.usd_per("USDT", MINUTE), rel=1e-12)
    assert ratio != 1


@pytest.mark.parametrize(("code", "digits"), [("BTC", 0), ("ETH", 2), ("SOL", 3), ("XRP", 5), ("DOGE", 6)])
def test_a_step_of_a_price_follows_its_size(code: str, digits: int) -> None:
    coin = market.find(code, MINUTE)
    assert coin
    assert tick_digits(market, coin) == digits
