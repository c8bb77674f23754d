"""Rounds in which exchanges lie, over the wire and for as long as it takes: a price that is right, or none."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from lcw_assets.defs.prices.storing import RoundData
from lcw_assets.simulator.faults import Fault
from lcw_assets_tests.defs.prices.rounds import SEVEN, Prices, lying, prices
from lcw_assets_tests.defs.prices.test_health_of_rounds import BROKEN, faulty

COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB")


def roles(data: RoundData, coin: str = "BTC") -> dict[str, str]:
    return {member.source: member.role for one in data.round.consensus if one.coin == coin for member in one.members}


def assert_right_or_absent(found: Prices, data: RoundData) -> None:
    for one in data.round.consensus:
        if one.price is not None:
            assert one.price == pytest.approx(found.true_price(one.coin, data.round.at), rel=1e-3), one.coin


def assert_priced(found: Prices, data: RoundData, *but: str) -> None:
    assert_right_or_absent(found, data)
    assert {one.coin for one in data.round.consensus if one.price is None} == {*but}


@pytest.mark.parametrize(
    ("lie", "liar", "why"),
    [
        ("jump", "kraken", "outlier"),
        ("yesterday", "okx", "outlier"),
        ("clock", "okx", "too_old"),
        ("future", "bybit", "from_the_future"),
        ("crossed", "binance", "crossed_book"),
        ("mixed", "kucoin_spot", "outlier"),
        ("zeros", "bitstamp", "zero_price"),
        ("text", "kraken", None),
        ("empty", "coinbase", None),
        ("missing", "okx", None),
        ("renamed", "bybit", None),
        ("delisted", "binance", None),
    ],
)
def test_one_that_lies_is_named_and_the_price_stays(tmp_path: Path, lie: str, liar: str, why: str | None) -> None:
    """Sends yesterday, jumps by half, swaps bid and ask, sends another coin's price, a word, or nothing."""
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = lying(**{liar: lie})
        data = found.data()
        assert_priced(found, data)
        assert roles(data)[liar] != "used"
        assert [role for source, role in roles(data).items() if source != liar] == ["used"] * 6
        codes = {q.refusal.code for q in data.round.quotes if q.source == liar and q.coin == "BTC" and q.refusal}
        codes |= {m.reason.code for m in data.round.consensus[0].members if m.source == liar and m.reason}
        if why:
            assert why in codes


def test_one_that_drifts_by_a_percent_an_hour_is_out_when_it_is_a_fifth_of_a_percent_off(tmp_path: Path) -> None:
    with prices(tmp_path, lying(kraken="drift")) as found:
        found.now = datetime(2026, 11, 20, tzinfo=timezone.utc)
        seen = {}
        for minute in (4, 8, 16, 20):
            data = found.data(after_s=240 if minute != 16 else 480)
            assert_priced(found, data)
            seen[minute] = (roles(data)["kraken"], data.healths["kraken"].state)
        assert seen[4][0] == seen[8][0] == "used"
        assert seen[16] == ("rejected", "degraded")
        assert seen[20] == ("rejected", "out")


def test_two_camps_are_the_honest_majority_or_nothing(tmp_path: Path) -> None:
    """Three of seven by half too high, who are three of the four that trade BNB; then three of six."""
    with prices(tmp_path) as found:
        found.round()
        three = ("binance", "bybit", "kucoin_spot")
        found.simulator.profile = lying(**dict.fromkeys(three, "jump"))
        data = found.data()
        for one in data.round.consensus[:5]:
            assert one.price == pytest.approx(found.true_price(one.coin, data.round.at), rel=1e-3)
            assert roles(data, one.coin) == {name: "rejected" if name in three else "used" for name in SEVEN}
        found.simulator.profile = lambda draw: (
            BROKEN if draw.provider == "coinbase" else Fault("jump" if draw.provider in three else "none")
        )
        data = found.data()
        assert all(one.price is None for one in data.round.consensus[:5]), "three against three"


def test_liars_who_have_most_books_in_usd_may_cause_absence_and_no_wrong_price(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = lying(kraken="depeg", coinbase="depeg", bitstamp="depeg")
        assert_right_or_absent(found, found.data())
        found.simulator.profile = lying(kraken="depeg", coinbase="depeg")
        assert_right_or_absent(found, found.data())
        found.simulator.profile = lying(kraken="jump", coinbase="jump")
        assert_right_or_absent(found, found.data())


def test_two_liars_in_their_very_first_round(tmp_path: Path) -> None:
    with prices(tmp_path, lying(kraken="depeg", coinbase="depeg")) as found:
        assert_right_or_absent(found, found.data())


def test_all_but_one_out_and_all_out_end_in_the_last_price_that_is_called_stale(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        last = found.query("SELECT symbol, price, priced_at FROM prices.latest ORDER BY 1")
        for left in (["kraken"], []):
            found.simulator.profile = faulty(**{name: BROKEN for name in SEVEN if name not in left})
            data = found.data()
            assert all(one.reason and one.reason.code == "no_quorum" for one in data.round.consensus)
            assert {one.used for one in data.round.consensus if one.coin != "BNB"} == {len(left)}
            assert found.query("SELECT symbol, price, priced_at FROM prices.latest ORDER BY 1") == last
            assert found.query("SELECT DISTINCT stale, reason FROM prices.latest") == [(True, "no_quorum")]


def test_one_that_stands_still_for_ten_rounds_while_the_others_move_is_refused(tmp_path: Path) -> None:
    with prices(tmp_path, lying(kraken="stuck")) as found:
        first = None
        for number in range(1, 13):
            data = found.data(after_s=150)
            assert_priced(found, data)
            refused = [q.coin for q in data.round.quotes if q.source == "kraken" and q.refusal]
            if refused:
                first = first or number
                assert {q.refusal.code for q in data.round.quotes if q.source == "kraken" and q.refusal} == {
                    "stands_still"
                }
        assert first == 10, "nine of them and this one"
        assert not [q for q in data.round.quotes if q.source != "kraken" and q.refusal]


def test_when_all_stand_still_nobody_is_refused_for_it(tmp_path: Path) -> None:
    with prices(tmp_path, lying(**dict.fromkeys(SEVEN, "stuck"))) as found:
        for _ in range(11):
            data = found.data()
        assert not [q for q in data.round.quotes if q.refusal]
