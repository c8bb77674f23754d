"""What Live Coin Watch shows of the market: ranks, lagging coins, and the gaps of real responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.simulator.live_coin_watch.aggregate import Aggregate
from lcw_assets.simulator.live_coin_watch.coins import metadata, quote
from lcw_assets.simulator.market import COINS, DAY, Market

MINUTE = 29_920_000
market = Market(seed=1)
shown = Aggregate(market)


def test_a_page_is_the_page_of_the_whole_ranking() -> None:
    """Ranking the neighbourhood of a page must give what ranking all 32,000 gives."""
    everything = shown.all_ranked(MINUTE)
    assert len({coin.code for coin in everything}) == COINS
    for first in (1, 77, 901, 5_001, 20_000, 31_901):
        assert shown.ranked(first, first + 99, MINUTE) == list(everything[first - 1 : first + 99])
    for rank in (1, 99, 1_234, 31_999):
        assert shown.rank(everything[rank - 1], MINUTE) == rank


@given(st.integers(MINUTE, MINUTE + 1_000_000), st.integers(1, 31_000))
def test_ranks_are_contiguous_at_any_minute(minute: int, first: int) -> None:
    page = shown.ranked(first, first + 20, minute)
    assert [shown.rank(coin, minute) for coin in page] == list(range(first, first + 21))


def test_a_rate_is_the_true_price_of_now_or_of_some_minutes_ago() -> None:
    coins = shown.ranked(1, 1_000, MINUTE)
    for coin in coins:
        ago = [market.price(coin, MINUTE - minutes) for minutes in range(30)]
        assert shown.rate(coin, MINUTE) in ago
        assert shown.rate(coin, MINUTE) == ago[0] or coin.slot >= 30


def test_some_coins_move_every_minute_and_some_do_not() -> None:
    before = {coin.code: shown.rate(coin, MINUTE) for coin in shown.ranked(1, 1_000, MINUTE)}
    after = {coin.code: shown.rate(coin, MINUTE + 1) for coin in shown.ranked(1, 1_000, MINUTE + 1)}
    moved = sum(before[code] != after[code] for code in before.keys() & after.keys())
    assert 300 < moved < 700
    assert before["BTC"] != after["BTC"]


def test_ranks_move_and_coins_come_and_go() -> None:
    hours = [[coin.code for coin in shown.ranked(1, 1_000, MINUTE + hour * 60)] for hour in range(3)]
    assert hours[0] != hours[1]
    assert set(hours[0]) != set(hours[2])


def test_the_gaps_of_real_responses() -> None:
    coins = shown.ranked(1, 1_000, MINUTE)
    documents = [metadata(shown, coin, MINUTE, 1) | quote(shown, coin, MINUTE, 1.0) for coin in coins]
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
    [dead] = shown.ranked(COINS, COINS, MINUTE)
    assert quote(shown, dead, MINUTE, 1.0)["rate"] is None


def test_deltas_are_what_the_rates_say() -> None:
    [btc] = shown.ranked(1, 1, MINUTE)
    expected = shown.rate(btc, MINUTE) / shown.rate(btc, MINUTE - DAY)
    assert quote(shown, btc, MINUTE, 1.0)["delta"]["day"] == round(expected, 4)
