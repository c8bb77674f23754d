"""The hidden market: the same for everybody, moving like a real one, at any second."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.simulator.market import COINS, DAY, Market
from lcw_assets.simulator.names import GENERATIONS, LEADERS, code_of, name_of, place_of, ticker_of

MINUTE = 29_920_000
market = Market(seed=1)

slots = st.integers(0, COINS - 1)


def test_another_process_sees_the_same_market() -> None:
    program = (
        "from lcw_assets.simulator.market import Market; m = Market(1); "
        f"print([(c.code, m.price(c, {MINUTE} + 1 / 60)) for c in (m.listing(s, {MINUTE}) for s in range(50))])"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    coins = [market.listing(slot, MINUTE) for slot in range(50)]
    assert other.stdout.strip() == repr([(coin.code, market.price(coin, MINUTE + 1 / 60)) for coin in coins])


def test_seeds_differ() -> None:
    assert Market(2).price(market.listing(0, MINUTE), MINUTE) != market.price(market.listing(0, MINUTE), MINUTE)


@given(slots, st.integers(0, 86_399))
def test_a_price_moves_by_little_from_second_to_second(slot: int, second: int) -> None:
    """Also from one minute to the next, and from one day to the next, when a supply may change."""
    coin = market.listing(slot, MINUTE)
    prices = [market.price(coin, MINUTE + (second + later) / 60) for later in range(2)]
    assert abs(math.log(prices[1] / prices[0])) < 2e-4
    midnight = MINUTE // DAY * DAY
    around = [market.price(coin, midnight + seconds / 60) for seconds in range(-2, 3)]
    assert max(around) / min(around) < 1 + 4 * 2e-4


def test_a_price_is_another_one_every_second() -> None:
    bitcoin = market.listing(0, MINUTE)
    assert len({market.price(bitcoin, MINUTE + second / 60) for second in range(600)}) == 600


@given(st.sampled_from(["USDT", "USDC", "DAI", "STETH"]), st.integers(MINUTE, MINUTE + 1_000_000))
def test_what_is_pegged_stays_near_its_peg(code: str, minute: int) -> None:
    """However the market moves: a depeg of half a percent is what a consensus of prices warns of."""
    coin, peg = market.find(code, minute), LEADERS[code].peg
    assert coin and peg
    off = market.price(coin, minute) / market.usd_per(peg, minute) - 1
    assert 0 < abs(off) < 0.0015
    assert market.price(coin, minute) < market.highest_price(coin) < 1.0013 * (1 if peg == "USD" else 10_000)
    assert market.usd_per(code, minute) == market.price(coin, minute)


@given(st.integers(0, 19) | slots, st.integers(MINUTE, MINUTE + 1_000_000))
def test_price_times_supply_is_the_capitalisation(slot: int, minute: int) -> None:
    coin = market.listing(slot, minute)
    assert market.price(coin, minute) * market.supply(coin, minute) == pytest.approx(market.cap(slot, minute))
    assert market.price(coin, minute) < market.highest_price(coin)
    assert 0.05 < market.price(coin, minute) / market.usual_price(coin) < 20


def test_a_dead_coin_is_found_no_more_and_another_has_its_slot() -> None:
    slot = next(slot for slot in range(20, 500) if market.listing(slot, MINUTE).generation)
    coin = market.listing(slot, MINUTE)
    end = next(minute for minute in range(MINUTE, MINUTE + 3_000) if market.listing(slot, minute) != coin)
    assert market.find(coin.code, end - 1) == coin
    assert market.find(coin.code, end) is None
    assert market.listing(slot, end).listed_at == end


@given(slots, st.integers(0, GENERATIONS - 1))
def test_a_code_leads_back_to_its_place(slot: int, generation: int) -> None:
    assert place_of(code_of(slot, generation)) == (slot, generation)


@given(st.text(max_size=10))
def test_whatever_is_no_code_has_no_place(code: str) -> None:
    place = place_of(code)
    assert place is None or code_of(*place) == code


@pytest.mark.parametrize(
    ("code", "ticker"),
    [
        ("BTC", "BTC"),
        ("_SUI", "SUI"),
        ("TONCOIN", "TON"),
        ("______HYPE", "HYPE"),
        ("HYPE", None),  # an old coin that nobody means
        ("META", "META"),
        ("__META", None),
        ("NAN", "NAN"),
        ("00", "00"),
        ("O'NE", None),
        ("0xBTC", None),
    ],
)
def test_a_ticker_is_what_an_exchange_would_call_it(code: str, ticker: str | None) -> None:
    place = place_of(code)
    assert place
    assert ticker_of(*place) == ticker


def test_no_two_coins_have_one_ticker() -> None:
    tickers = [ticker_of(slot, generation) for slot in range(2_000) for generation in (0, 1)]
    known = [ticker for ticker in tickers if ticker]
    assert len(set(known)) == len(known) > 3_900
    for slot in range(200, 300):
        code = code_of(slot, 0)
        assert ticker_of(slot, 0) == code.lstrip("_")
        assert name_of(code).upper() == ticker_of(slot, 0)
