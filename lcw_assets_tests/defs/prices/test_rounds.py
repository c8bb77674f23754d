"""Rounds that are stored: what is written when, and what of it stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lcw_assets.defs.prices.rows import consensus_rows
from lcw_assets.simulator.books import DEPEG
from lcw_assets.simulator.faults import Fault, Profile
from lcw_assets_tests.defs.prices.rounds import NOON, SEVEN, Prices, lying, prices

ALL_STUCK = lying(**dict.fromkeys(SEVEN, "stuck"))
ALL_OUT = dict.fromkeys(SEVEN, Fault("error", status=501))


def down(*names: str) -> Profile:
    """These respond with an error that is not tried again, all others are honest."""
    return lambda draw: Fault("error", status=501) if draw.provider in names else Fault()


def newest(found: Prices, symbol: str = "BTC") -> tuple[object, ...]:
    [row] = found.query(
        "SELECT price, priced_at, stale, reason, checked_at FROM prices.latest WHERE symbol = ?", symbol
    )
    return row


def test_a_consensus_is_a_row_where_something_has_changed_and_the_latest_row_says_when_it_was_checked(
    tmp_path: Path,
) -> None:
    with prices(tmp_path, ALL_STUCK) as found:
        for _ in range(3):
            found.round()
        count = "SELECT count(*) FROM prices.consensus WHERE symbol = 'BTC'"
        assert found.query(count) == [(1,)], "nothing moved"
        assert found.query("SELECT count(DISTINCT load_id) FROM prices.quotes") == [(3,)]
        checked = newest(found)[4]
        found.simulator.profile = lambda draw: Fault("none" if draw.provider == "kraken" else "stuck")
        data = found.data()
        assert newest(found)[4] == data.round.at > checked  # type: ignore[operator]
        assert found.query(count) == [(2,)], "another one is used, or the price is another"
        found.simulator.profile = lambda _: Fault()
        found.round()
        assert found.query(count) == [(3,)]


def test_the_last_price_stays_with_its_time_and_is_stale_until_there_is_a_new_one(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        price, at, stale, *_ = newest(found)
        assert stale is False
        found.simulator.profile = down(*SEVEN)
        failed = found.data()
        assert newest(found) == (price, at, True, "no_quorum", failed.round.at)
        found.round(after_s=3)
        rows = found.query("SELECT price, reason FROM prices.consensus WHERE symbol = 'BTC' ORDER BY priced_at")
        assert rows == [(price, None), (None, "no_quorum")], "absent twice is one row"
        found.simulator.profile = lambda _: Fault()
        found.round(after_s=300)
        again, later, stale, *_ = newest(found)
        assert later > at and again != price and stale is False  # type: ignore[operator]


def test_the_same_price_after_a_gap_is_a_row_again(tmp_path: Path) -> None:
    """Otherwise the history would say that there was none until it moved."""
    with prices(tmp_path, ALL_STUCK) as found:
        found.round()
        found.simulator.profile = down(*SEVEN)
        found.round()
        found.simulator.profile = ALL_STUCK
        found.round(after_s=120)
        rows = found.query("SELECT price IS NULL FROM prices.consensus WHERE symbol = 'BTC' ORDER BY priced_at")
        assert rows == [(False,), (True,), (False,)]


def test_a_round_that_is_stored_late_is_in_the_history_once_and_changes_nothing_of_what_is_newest(
    tmp_path: Path,
) -> None:
    """One that was killed after its fetch: its file waits, and a later one is stored before it is read again."""
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = down("okx", "kraken")
        waiting, own = found.fetch()
        aside = [(path, path.read_bytes()) for path in waiting.spool.pending()]
        assert len(aside) == 1
        for path, _ in aside:
            path.unlink()
        found.simulator.profile = lambda _: Fault()
        found.round()
        tables = ("latest", "source_health", "lcw_deviation")
        before = [found.query(f"SELECT * FROM prices.{table} ORDER BY ALL") for table in tables]
        hooks = found.hooks()
        for _ in range(2):  # the second time as after a kill between the commit and the removal of the file
            for path, body in aside:
                path.write_bytes(body)
            found.store(found.runner(hooks))
        assert [found.query(f"SELECT * FROM prices.{table} ORDER BY ALL") for table in tables] == before
        late = own.load.load_id
        for table in ("quotes", "consensus", "source_loads", "rates"):
            loads = dict(found.query(f"SELECT load_id, count(*) FROM prices.{table} GROUP BY ALL"))
            assert len(loads) == 3 and late in loads, table
        assert found.query("SELECT count(*) FROM prices.consensus WHERE load_id = ?", late) == [(6,)]
        assert dict(found.query("SELECT source, outcome FROM prices.source_loads WHERE load_id = ?", late)) == {
            **dict.fromkeys(SEVEN, "ok"),
            "okx": "server_error",
            "kraken": "maintenance",
        }
        found.round()
        assert newest(found)[2] is False


def test_a_clock_that_was_a_day_ahead_for_a_round_does_not_stop_the_next_ones(tmp_path: Path) -> None:
    """Exchanges that send no time are believed then; what is newest must not stay that of tomorrow."""
    with prices(tmp_path) as found:
        found.round()
        found.round(after_s=86_400)
        assert newest(found)[4] > NOON + timedelta(hours=23)  # type: ignore[operator]
        data = found.data(after_s=120 - 86_400)
        assert newest(found)[4] == data.round.at
        assert newest(found)[2] is False
        assert found.query("SELECT max(checked_at) FROM prices.source_health") == [(data.round.at,)]


@pytest.mark.parametrize("wrong_s", [86_400, -86_400, 3_600])
def test_while_our_clock_is_wrong_what_has_a_time_is_refused_by_name(tmp_path: Path, wrong_s: float) -> None:
    with prices(tmp_path) as found:
        found.round()
        real = found.simulator.clock
        found.simulator.clock = lambda: real() - timedelta(seconds=wrong_s)
        found.round()
        rows = found.query(
            "SELECT DISTINCT source, reason FROM prices.quotes WHERE priced_at > (SELECT min(priced_at) FROM "
            "prices.quotes) AND reason IS NOT NULL ORDER BY 1"
        )
        why = "too_old" if wrong_s > 0 else "from_the_future"
        with_time = ("bitstamp", "bybit", "kucoin_spot", "okx")
        assert {source for source, reason in rows if reason == why} >= {*with_time}
        true = found.true_price("BTC", found.now - timedelta(seconds=wrong_s))
        price, _, stale, reason, _ = newest(found)
        assert (stale, reason) == (True, "no_quorum") or price == pytest.approx(true, rel=1e-3)


def test_each_quote_says_what_became_of_it(tmp_path: Path) -> None:
    with prices(tmp_path, lying(kraken="zeros", okx="jump"), PRICES_COINGECKO="true") as found:
        data = found.data()
        roles = {
            (source, symbol): (role, reason)
            for source, symbol, role, reason in found.query("SELECT source, symbol, role, reason FROM prices.quotes")
        }
        assert roles["kraken", "BTC"] == ("refused", "zero_price")
        assert roles["kraken", "ETH"] == ("used", None)
        assert roles["okx", "BTC"] == ("rejected", "outlier")
        assert roles["coinbase", "USDT"] == ("rate", None)
        assert roles["coingecko", "BTC"][0] == "witness"
        [btc] = [one for one in data.round.consensus if one.coin == "BTC"]
        assert btc.requested == 7 and "coingecko" not in {m.source for m in btc.members if m.role == "used"}
        deviation = found.query("SELECT deviation FROM prices.quotes WHERE source = 'coingecko' AND symbol = 'BTC'")
        assert deviation[0][0] is not None and abs(deviation[0][0]) < 0.05


def test_a_witness_never_makes_up_for_a_missing_source(tmp_path: Path) -> None:
    up = ("coinbase", "kraken")
    with prices(tmp_path, down(*(set(SEVEN) - {*up})), PRICES_COINGECKO="true") as found:
        data = found.data()
        assert {one.reason.code for one in data.round.consensus if one.reason} == {"no_quorum"}
        assert all(one.price is None for one in data.round.consensus)
        assert found.query("SELECT count(*) FROM prices.quotes WHERE role = 'witness'")[0][0] >= 6


def test_who_is_not_called_or_whose_response_was_shared_has_no_fact(tmp_path: Path) -> None:
    with prices(tmp_path, PRICES_SOURCES="kraken,coinbase,bitstamp") as found:
        found.round()
        assert {name for (name,) in found.query("SELECT source FROM prices.source_loads")} == {
            "kraken", "coinbase", "bitstamp",
        }  # fmt: skip
        assert {name for (name,) in found.query("SELECT source FROM prices.source_health")} == {
            "kraken", "coinbase", "bitstamp",
        }  # fmt: skip


def test_the_volume_method_is_a_setting_and_is_written_down(tmp_path: Path) -> None:
    with prices(tmp_path, PRICES_METHOD="volume") as found:
        data = found.data()
        assert found.query("SELECT DISTINCT method FROM prices.consensus") == [("volume",)]
        for one in data.round.consensus:
            assert one.price == pytest.approx(found.true_price(one.coin, data.round.at), rel=1e-3)
    other = tmp_path / "median"
    with prices(other) as found:
        found.round()
        assert found.query("SELECT DISTINCT method FROM prices.consensus") == [("median",)]


def test_the_quorum_is_a_setting(tmp_path: Path) -> None:
    up = ("coinbase", "kraken")
    with prices(tmp_path, down(*(set(SEVEN) - {*up})), PRICES_QUORUM="2") as found:
        priced = {one.coin for one in found.data().round.consensus if one.price}
        assert priced == {"BTC", "ETH", "SOL", "XRP", "DOGE"}, "neither has BNB"


def test_a_depeg_is_one_and_prices_in_usd_stay(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = lying(**dict.fromkeys(SEVEN, "depeg"))
        data = found.data()
        [(usd,)] = found.query("SELECT usd FROM prices.rates ORDER BY priced_at DESC LIMIT 1")
        assert usd == pytest.approx(DEPEG, rel=5e-3)
        for one in data.round.consensus:
            assert one.price == pytest.approx(found.true_price(one.coin, data.round.at), rel=1e-3)


def test_consensus_rows_compare_with_what_is_newest_and_a_late_one_is_kept(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        data = found.data()
        columns = ("symbol", "price", "stale", "reason", "used", "rejected", "checked_at")
        rows = found.query(f"SELECT {', '.join(columns)} FROM prices.latest")
        before = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
        earlier = {
            code: {**row, "checked_at": row["checked_at"] - timedelta(minutes=1)} for code, row in before.items()
        }
        assert consensus_rows(data.round, earlier, "x") == []
        assert len(consensus_rows(data.round, before, "x")) == 6, "not newer than what is known"


def test_the_last_good_rate_converts_while_fewer_than_three_measure_it(tmp_path: Path) -> None:
    """The exchanges with books in USD are down: four in USDT are left, of which one trades that against USD."""
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = down("kraken", "coinbase", "bitstamp")
        data = found.data()
        for one in data.round.consensus:
            assert one.price == pytest.approx(found.true_price(one.coin, data.round.at), rel=1e-3)
    with prices(tmp_path / "first", down("kraken", "coinbase", "bitstamp")) as found:
        assert not any(one.price for one in found.data().round.consensus), "there is no last one yet"
