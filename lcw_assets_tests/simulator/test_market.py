"""The simulated market: the same for everybody, moving like a real one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.simulator.coins import profile, quote
from lcw_assets.simulator.market import COINS, DAY, Market
from lcw_assets.simulator.names import GENERATIONS, code_of, place_of

MINUTE = 29_920_000
market = Market(seed=1)


def test_another_process_sees_the_same_market() -> None:
    program = (
        "from lcw_assets.simulator.market import Market; m = Market(1); "
        f"print([(c.code, m.rate(c, {MINUTE})) for c in m.ranked(1, 50, {MINUTE})])"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = [(coin.code, market.rate(coin, MINUTE)) for coin in market.ranked(1, 50, MINUTE)]
    assert other.stdout.strip() == repr(here)


def test_seeds_differ() -> None:
    assert Market(2).rate(market.listing(0, MINUTE), MINUTE) != market.rate(market.listing(0, MINUTE), MINUTE)


def test_a_page_is_the_page_of_the_whole_ranking() -> None:
    """Ranking the neighbourhood of a page must give what ranking all 32,000 gives."""
    everything = market.all_ranked(MINUTE)
    assert len({coin.code for coin in everything}) == COINS
    for first in (1, 77, 901, 5_001, 20_000, 31_901):
        assert market.ranked(first, first + 99, MINUTE) == list(everything[first - 1 : first + 99])
    for rank in (1, 99, 1_234, 31_999):
        assert market.rank(everything[rank - 1], MINUTE) == rank


def test_some_coins_move_every_minute_and_some_do_not() -> None:
    before = {coin.code: market.rate(coin, MINUTE) for coin in market.ranked(1, 1_000, MINUTE)}
    after = {coin.code: market.rate(coin, MINUTE + 1) for coin in market.ranked(1, 1_000, MINUTE + 1)}
    moved = sum(before[code] != after[code] for code in before.keys() & after.keys())
    assert 300 < moved < 700
    assert before["BTC"] != after["BTC"]


def test_ranks_move_and_coins_come_and_go() -> None:
    hours = [[coin.code for coin in market.ranked(1, 1_000, MINUTE + hour * 60)] for hour in range(3)]
    assert hours[0] != hours[1]
    assert set(hours[0]) != set(hours[2])


def test_the_gaps_of_real_answers() -> None:
    coins = market.ranked(1, 1_000, MINUTE)
    documents = [profile(market, coin, MINUTE, 1) | quote(market, coin, MINUTE, 1.0) for coin in coins]
    assert 0 < sum("symbol" in document for document in documents) < 60
    assert any("symbol" in document and document["symbol"] is None for document in documents)
    assert 300 < sum(document["maxSupply"] is None for document in documents) < 600
    assert any(document["cap"] is None for document in documents)
    assert any("categories" not in document for document in documents)
    assert any(isinstance(document["circulatingSupply"], float) for document in documents)
    assert any(isinstance(document["circulatingSupply"], int) for document in documents)
    assert any("e-" in repr(document["rate"]) for document in documents)
    assert max(document["delta"]["year"] or 0 for document in documents) > 2
    for document in documents:
        assert document["allTimeHighUSD"] >= document["rate"]
        assert (document["delta"]["year"] is None) == (document["age"] < 365)
        if document["cap"] is not None:
            assert document["cap"] == pytest.approx(document["rate"] * document["circulatingSupply"], rel=1e-3)


def test_the_long_dead_have_no_price() -> None:
    [dead] = market.ranked(COINS, COINS, MINUTE)
    assert quote(market, dead, MINUTE, 1.0)["rate"] is None


def test_deltas_are_what_the_rates_say() -> None:
    [btc] = market.ranked(1, 1, MINUTE)
    expected = market.rate(btc, MINUTE) / market.rate(btc, MINUTE - DAY)
    assert quote(market, btc, MINUTE, 1.0)["delta"]["day"] == round(expected, 4)


@given(st.integers(0, COINS - 1), st.integers(0, GENERATIONS - 1))
def test_a_code_leads_back_to_its_place(slot: int, generation: int) -> None:
    assert place_of(code_of(slot, generation)) == (slot, generation)


@given(st.text(max_size=10))
def test_whatever_is_no_code_has_no_place(code: str) -> None:
    place = place_of(code)
    assert place is None or code_of(*place) == code


@given(st.integers(MINUTE, MINUTE + 1_000_000), st.integers(1, 31_000))
def test_ranks_are_contiguous_at_any_minute(minute: int, first: int) -> None:
    page = market.ranked(first, first + 20, minute)
    assert [market.rank(coin, minute) for coin in page] == list(range(first, first + 21))
