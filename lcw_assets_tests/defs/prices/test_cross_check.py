"""Live Coin Watch's prices against the consensus, in whatever currency they are kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lcw_assets.defs.prices.storing import RoundData
from lcw_assets.ingest.hooks import StoredLoad
from lcw_assets.rounding import percent
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.defs.prices.rounds import SEVEN, Prices, lying, prices


def says(found: Prices, currency: str = "USD", off: float = 1.0, age_s: float = 5.0, *codes: str) -> None:
    """Live Coin Watch's price of these coins (Bitcoin and Ether) at the next round, by its own currency."""
    at = found.now + timedelta(seconds=60 - age_s)
    unit = 1.0 if currency in ("USD", "EUR") else found.true_price(currency, at)
    with open_database(found.hooks().settings.database) as db:
        db.execute("DELETE FROM market.coins")
        db.executemany(
            "INSERT INTO market.coins (code, currency, observed_at, changed_at, cycle_id, rate) "
            "VALUES (?, ?, ?, ?, 'c', ?)",
            [(c, currency, at, at, off * found.true_price(c, at) / unit) for c in codes or ("BTC", "ETH")],
        )


def rows(found: Prices) -> dict[str, tuple[float, float, datetime | None]]:
    query = "SELECT symbol, deviation, age_s, off_since FROM prices.lcw_deviation"
    return {symbol: (deviation, age_s, since) for symbol, deviation, age_s, since in found.query(query)}


def check(found: Prices, stored: StoredLoad) -> str:
    [one] = [one for one in found.hooks().findings(stored) if one.check == "lcw_deviation"]
    return one.wrong


def test_deviation_age_and_since_when_kept_while_it_is_off_and_cleared_when_it_is_not(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        says(found, off=1.0)
        stored = found.round()
        assert check(found, stored) == ""
        deviation, age_s, since = rows(found)["BTC"]
        assert abs(deviation) < 2e-3 and age_s == pytest.approx(5, abs=1) and since is None
        moments = []
        for _ in range(3):
            says(found, "USD", 1.015, 30.0, "BTC")
            stored = found.round()
            deviation, age_s, since = rows(found)["BTC"]
            assert deviation == pytest.approx(0.015, abs=2e-3) and age_s == pytest.approx(30, abs=1)
            moments.append(since)
        assert moments[0] is not None and len({*moments}) == 1, "since the first of the three"
        assert check(found, stored) == (
            f"Live Coin Watch is over 1.00 % off: BTC ({percent(deviation, '+')} since {moments[0]:%H:%M:%S} UTC, "
            f"with a price {age_s:.0f} s old)"
        )
        says(found, "USD", 0.995, 5.0, "BTC")
        assert check(found, found.round()) == ""
        assert rows(found)["BTC"][2] is None
        says(found, "USD", 0.98, 5.0, "BTC")
        found.round()
        assert rows(found)["BTC"][2] not in (None, moments[0]), "another time"


def test_the_limit_is_a_setting(tmp_path: Path) -> None:
    with prices(tmp_path, PRICES_LCW_DEVIATION="0.1") as found:
        found.round()
        says(found, off=1.05)
        assert check(found, found.round()) == ""
        says(found, off=1.15)
        assert "BTC (+15" in check(found, found.round())


def test_a_currency_that_nothing_converts_is_skipped_by_name(tmp_path: Path) -> None:
    with prices(tmp_path, LCW_CURRENCY="EUR") as found:
        found.round()
        says(found, "EUR")
        stored = found.round()
        assert rows(found) == {}
        summary = found.hooks().summary("prices.consensus", stored)
        assert summary["not_compared"] == ("Live Coin Watch's prices are in EUR, and nothing here converts it to USD")
        assert check(found, stored) == ""


def test_prices_in_bitcoin_are_converted_by_its_consensus_and_those_in_usdt_by_its_rate(tmp_path: Path) -> None:
    with prices(tmp_path / "btc", LCW_CURRENCY="BTC") as found:
        found.round()
        says(found, "BTC", 1.0, 5.0, "ETH", "SOL")
        found.round()
        assert {code: row[0] for code, row in rows(found).items()} == {
            "ETH": pytest.approx(0, abs=2e-3), "SOL": pytest.approx(0, abs=2e-3),
        }  # fmt: skip
    with prices(tmp_path / "usdt", LCW_CURRENCY="USDT") as found:
        found.round()
        found.simulator.profile = lying(**dict.fromkeys(SEVEN, "depeg"))
        says(found, "USDT", 1 / 0.97)
        found.round()
        assert rows(found)["BTC"][0] == pytest.approx(0, abs=3e-3), "in a depeg as well"


def test_old_prices_prices_of_later_and_coins_that_it_does_not_have_are_not_compared(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        says(found, "USD", 1.0, 400.0)
        stored = found.round()
        assert rows(found) == {}
        data: RoundData = stored.outcome.data
        assert data.compared.not_compared.startswith("no recent price of Live Coin Watch: BNB, BTC, DOGE")
        says(found, "USD", 1.0, -30.0)
        found.round()
        assert rows(found) == {}
        says(found, "USD", 1.0, 5.0, "SOL")
        stored = found.round()
        assert {*rows(found)} == {"SOL"}
        assert "SOL" not in stored.outcome.data.compared.not_compared


def test_a_coin_without_a_consensus_is_not_compared(tmp_path: Path) -> None:
    with prices(tmp_path, PRICES_SYMBOLS="BTC,ETH", PRICES_QUORUM="8") as found:
        found.round()
        says(found, off=1.5)
        stored = found.round()
        assert rows(found) == {} and check(found, stored) == ""
