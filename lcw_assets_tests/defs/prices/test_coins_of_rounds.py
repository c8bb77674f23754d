"""Which coins a round prices: those of the settings or the tracked ones, by the names of exchanges and of a user."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from lcw_assets.simulator.names import LEADERS
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.defs.prices.rounds import SEVEN, Prices, lying, prices

TRACKED = {"PRICES_SYMBOLS": "tracked"}


def execute(found: Prices, sql: str, *parameters: object) -> None:
    with open_database(found.hooks().settings.database) as db:
        db.execute(sql, list(parameters))


def fetched(found: Prices, *codes: str) -> None:
    """Live Coin Watch has these coins, the largest first."""
    execute(found, "DELETE FROM market.coins")
    rows = [(code, "USD", found.now, found.now, "c", place) for place, code in enumerate(codes, 1)]
    with open_database(found.hooks().settings.database) as db:
        db.executemany(
            "INSERT INTO market.coins (code, currency, observed_at, changed_at, cycle_id, rank, rate) "
            "VALUES (?, ?, ?, ?, ?, ?, 1.0)",
            rows,
        )


def coins(found: Prices) -> list[str]:
    return [one.coin for one in found.data().round.consensus]


def sent_to(found: Prices, since: int) -> list[str]:
    return [entry.endpoint for entry in found.simulator.ledger.entries[since:]]


def test_tracked_before_any_coin_is_known_complains_calls_for_lists_alone_and_is_no_crash(tmp_path: Path) -> None:
    with prices(tmp_path, **TRACKED) as found:
        stored = found.round()
        assert len(sent_to(found, 0)) == 1, "a list"
        assert stored.row["status"] == "complete"
        assert found.query("SELECT count(*) FROM prices.consensus") == [(0,)]
        runner = found.runner(found.hooks())
        checks = {one.check: one for one in runner.hooks.findings(stored)}
        complaint = "LCW_TRACKED_COINS=top:100: no coin is known yet, so none is on top: run a cycle first"
        assert checks["quorum"].wrong.replace("\\", "") == complaint
        found.round()
        assert complaint in found.said, "in the log of the next run, which has tables to read"
        fetched(found, "BTC", "ETH", "BNB")
        assert coins(found) == ["BTC", "ETH", "BNB"], "as soon as they are known"


def test_tracked_is_what_three_sources_trade(tmp_path: Path) -> None:
    with prices(tmp_path, **TRACKED, LCW_TRACKED_COINS="BTC BNB NOBODY XMR") as found:
        found.round()
        assert coins(found) == ["BTC", "BNB"]
        entries = len(found.simulator.ledger.entries)
        assert coins(found) == ["BTC", "BNB"]
        tickers = [one for one in found.simulator.ledger.entries[entries:] if "arkets" not in one.endpoint]
        assert len({entry.provider for entry in tickers}) == 7


def test_a_coin_that_two_sources_trade_is_not_priced_and_that_is_said(tmp_path: Path) -> None:
    chosen = {**TRACKED, "LCW_TRACKED_COINS": "XMR,NOBODY"}
    with prices(tmp_path, **chosen) as found:
        stored = found.round()
        [quorum] = [one for one in found.hooks().findings(stored) if one.check == "quorum"]
        assert "no tracked coin is traded by three sources" in quorum.wrong
        assert stored.row["status"] == "complete"
        stored = found.round()
        assert any("no tracked coin is traded by three sources" in line for line in found.said)


def test_a_file_of_coins_that_is_missing_is_a_complaint_and_no_crash(tmp_path: Path) -> None:
    with prices(tmp_path, **TRACKED, LCW_TRACKED_COINS=f"file:{tmp_path}/none.txt") as found:
        stored = found.round()
        [quorum] = [one for one in found.hooks().findings(stored) if one.check == "quorum"]
        assert "none.txt" in quorum.wrong.replace("\\", "")


def test_tracked_coins_beyond_the_built_in_ones_are_priced_when_their_lists_have_come(tmp_path: Path) -> None:
    """One list a round: a coin is traded by three when three lists have it."""
    with prices(tmp_path, **TRACKED) as found:
        found.round()
        at = found.now
        fetched(found, *LEADERS)
        seen: Sequence[str] = ()
        for _ in range(8):
            found.now += timedelta(seconds=1)
            data = found.data()
            seen = [one.coin for one in data.round.consensus]
        assert len(seen) > 6 and set(seen) <= {*LEADERS}
        assert found.now - at < timedelta(hours=1)
        for one in data.round.consensus:
            assert one.price == pytest.approx(found.true_price(one.coin, data.round.at), rel=2e-3), one.coin
        venues = {name for (name,) in found.query("SELECT venue FROM instruments.lists WHERE received_at IS NOT NULL")}
        assert venues == {*SEVEN}
        lists = (
            "SELECT source, count(*) FROM ops.calls WHERE source || endpoint IN (SELECT source || endpoint FROM "
            "ops.calls GROUP BY source, endpoint HAVING count(*) = 1) GROUP BY source"
        )
        assert len(found.query(lists)) == 7, "each once"


def test_a_coin_that_a_name_means_twice_has_no_price_of_that_source(tmp_path: Path) -> None:
    """Two coins, one name: the user's two rows, or a list of markets that has it twice."""
    with prices(tmp_path) as found:
        found.round()
        for coin in ("BTC", "OTHER"):
            execute(found, "INSERT INTO instruments.names (venue, name, coin) VALUES ('kraken', 'XBT', ?)", coin)
        data = found.data()
        members = {member.source: member.role for member in data.round.consensus[0].members}
        assert "kraken" not in members and data.round.consensus[0].requested == 6
        assert data.round.consensus[0].price == pytest.approx(found.true_price("BTC", data.round.at), rel=1e-3)
        assert data.names.instruments.instrument("kraken", "XXBTZUSD").code == "two_coins"  # type: ignore[union-attr]


def test_a_market_that_a_response_has_twice_is_no_price(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = lying(okx="twice")
        data = found.data()
        used = {member.source: member.role for member in data.round.consensus[0].members}
        assert used["okx"] != "used"
        assert [*used.values()].count("used") == 6


def test_a_users_correction_is_in_effect_in_the_next_run(tmp_path: Path) -> None:
    """A name ends: renamed, delisted; and one that is a coin that it was not before."""
    with prices(tmp_path, PRICES_SYMBOLS="BTC,NEWCOIN") as found:
        data = found.data()
        assert [one.requested for one in data.round.consensus] == [7, 0]
        execute(found, "INSERT INTO instruments.names (venue, name, coin) VALUES ('*', 'SOL', 'NEWCOIN')")
        data = found.data()
        btc, new = data.round.consensus
        assert (btc.requested, new.requested) == (7, 7)
        assert new.price == pytest.approx(found.true_price("SOL", data.round.at), rel=1e-3)
        execute(
            found,
            "INSERT INTO instruments.names (venue, name, coin, until, successor) "
            "VALUES ('okx', 'BTC', 'BTC', ?, 'BTC2')",
            found.now,
        )
        execute(
            found,
            "INSERT INTO instruments.names (venue, name, coin, until) VALUES ('bybit', 'BTC', 'BTC', ?)",
            found.now,
        )
        data = found.data()
        btc, _ = data.round.consensus
        assert btc.requested == btc.used == 5
        codes = {name: data.names.instruments.coin(name, "BTC").code for name in ("okx", "bybit")}  # type: ignore[union-attr]
        assert codes == {"okx": "renamed", "bybit": "delisted"}


def test_a_row_that_cannot_be_read_is_named_and_the_others_price(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        execute(found, "INSERT INTO instruments.names (venue, name, coin) VALUES ('kraken', 'XBT', '')")
        stored = found.round()
        [readable] = [one for one in found.hooks().findings(stored) if one.check == "names_readable"]
        assert "kraken" in readable.wrong and "coin is" in readable.wrong
        assert all(one.price for one in stored.outcome.data.round.consensus)
        assert any("kraken" in line and "coin is" in line for line in found.said)


def test_a_market_that_a_list_has_no_more_is_not_requested_and_does_not_count(tmp_path: Path) -> None:
    """Binance refuses a whole list for one name that it does not know, so such a name must go."""
    with prices(tmp_path, lying(binance="delisted")) as found:
        for _ in range(8):
            data = found.data()
        [(kinds,)] = found.query("SELECT count(*) FROM instruments.markets WHERE venue = 'binance'")
        assert kinds
        assert data.round.consensus[0].price == pytest.approx(found.true_price("BTC", data.round.at), rel=1e-3)
        binance = [quote for quote in data.round.quotes if quote.source == "binance"]
        assert binance, "one market that is gone does not take the others with it"


def test_a_list_that_comes_is_known_in_the_same_round(tmp_path: Path) -> None:
    with prices(tmp_path, PRICES_SYMBOLS="ADA") as found:
        found.round()
        fetched(found, *LEADERS)
        assert [one.requested for one in found.data().round.consensus] == [2], "of its second list, and the first"
