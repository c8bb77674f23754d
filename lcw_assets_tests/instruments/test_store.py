"""The tables of instruments: what a day's lists, Live Coin Watch's codes and a user's corrections make of a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.instruments.instruments import Instrument, Instruments
from lcw_assets.instruments.known import MARKETS, NAMES
from lcw_assets.instruments.names import Unmapped
from lcw_assets.instruments.store import (
    CURRENCIES,
    ListState,
    due_list,
    read_instruments,
    read_lists,
    record_attempt,
    replace_markets,
    traded_coins,
)
from lcw_assets.simulator.names import LEADERS
from lcw_assets.sources.markets import ListedMarket
from lcw_assets.warehouse.schema import migrate
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.sources.prices import SOURCES, client_of

AT = datetime(2026, 7, 27, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SEVEN = ("kraken", "coinbase", "bitstamp", "okx", "binance", "kucoin_spot", "bybit")
OKX = [
    ListedMarket(one.symbol, one.base, one.quote, one.request) for one in MARKETS if one.venue == "okx"
]  # BTC, ETH, SOL, XRP, DOGE and BNB in USDT, and USDT in USD


@pytest.fixture(scope="module")
def migrated() -> Iterator[DuckDBPyConnection]:
    with duckdb.connect() as db:
        migrate(db)
        yield db


@pytest.fixture
def db(migrated: DuckDBPyConnection) -> Iterator[DuckDBPyConnection]:
    migrated.execute("BEGIN")
    yield migrated
    migrated.execute("ROLLBACK")


def fetched(db: DuckDBPyConnection, *codes: str, currency: str = "USD") -> None:
    """Live Coin Watch has these coins."""
    db.execute(
        "INSERT INTO market.coins (code, currency, observed_at, changed_at, cycle_id) "
        "SELECT unnest(?::VARCHAR[]), ?, ?, ?, 'c'",
        [list(codes), currency, AT, AT],
    )


def pair(base: str, quote: str = "USDT", **more: Any) -> ListedMarket:
    return ListedMarket(f"{base}-{quote}", base, quote, **more)


def reason(found: object) -> str:
    assert isinstance(found, Unmapped), found
    return found.code


def meaning(found: object) -> tuple[str, str]:
    assert isinstance(found, Instrument), found
    return found.coin, found.currency


def stored(db: DuckDBPyConnection, venue: str = "okx") -> list[str]:
    return [row[0] for row in db.execute("SELECT symbol FROM instruments.markets WHERE venue = ?", [venue]).fetchall()]


def test_before_any_list_came_the_built_in_names_serve(db: DuckDBPyConnection) -> None:
    found, known = read_instruments(db, None, AT), Instruments(NAMES, MARKETS, AT)
    for market in MARKETS:
        assert found.instrument(market.venue, market.symbol) == known.instrument(market.venue, market.symbol)
    assert read_lists(db) == []


def test_a_list_replaces_the_built_in_markets_of_its_venue_alone(db: DuckDBPyConnection) -> None:
    halted = [pair("BNB", status="suspend"), *(one for one in OKX if one.base not in ("BNB", "DOGE"))]
    assert replace_markets(db, "okx", halted, AT, "l1") is None
    found = read_instruments(db, ["BTC", "DOGE", "BNB"], AT)
    assert meaning(found.instrument("okx", "BTC-USDT")) == ("BTC", "USDT")
    assert meaning(found.instrument("okx", "USDT-USD")) == ("USDT", "USD")
    assert reason(found.instrument("okx", "BNB-USDT")) == "not_trading"
    assert reason(found.market("okx", "DOGE", "USDT")) == "unknown_market", "it is not on the list"
    assert meaning(found.market("binance", "DOGE", "USDT")) == ("DOGE", "USDT")
    assert db.execute("SELECT DISTINCT listed_at, load_id FROM instruments.markets").fetchall() == [(AT, "l1")]
    assert read_lists(db) == [ListState("okx", AT, AT)]


def test_every_field_of_a_market_is_stored(db: DuckDBPyConnection) -> None:
    odd = ListedMarket("BTC-USDC", "BTC", "USDC", "btcusdc", "perpetual", "cancel_only", "BTC-USD")
    assert replace_markets(db, "okx", [*OKX, odd], AT, "l1") is None
    row = db.execute(
        "SELECT * EXCLUDE (listed_at, load_id) FROM instruments.markets WHERE symbol = 'BTC-USDC'"
    ).fetchall()
    assert row == [("okx", "BTC-USDC", "BTC", "USDC", "btcusdc", "perpetual", "cancel_only", "BTC-USD")]


def test_a_newer_list_replaces_an_older_one_and_an_older_one_changes_nothing(db: DuckDBPyConnection) -> None:
    assert replace_markets(db, "okx", OKX, AT, "l1") is None
    assert replace_markets(db, "okx", [*OKX, pair("AVAX")], AT + DAY, "l2") is None
    assert "AVAX-USDT" in stored(db)
    for late in (AT, AT + DAY, AT + HOUR):
        said = replace_markets(db, "okx", OKX, late, "l3")
        assert said is not None and "is not newer than the stored one of 2026-07-28" in said
        assert len(stored(db)) == len(OKX) + 1
        assert read_lists(db) == [ListState("okx", AT + DAY, AT + DAY)]


def test_a_list_from_a_clock_that_was_wrong_does_not_stay_for_ever(db: DuckDBPyConnection) -> None:
    assert replace_markets(db, "okx", [*OKX, pair("AVAX")], AT + 400 * DAY, "l1") is None
    assert due_list(read_lists(db), ["okx"], AT) == "okx"
    assert replace_markets(db, "okx", OKX, AT, "l2") is None
    assert (len(stored(db)), read_lists(db)) == (len(OKX), [ListState("okx", AT, AT)])


def test_a_list_that_lost_more_than_half_is_refused_and_the_known_one_serves(db: DuckDBPyConnection) -> None:
    many = [*OKX, *(pair(f"C{number}") for number in range(13))]  # 20
    assert replace_markets(db, "okx", many, AT, "l1") is None
    others = [pair(f"D{number}") for number in range(50)]
    said = replace_markets(db, "okx", [*many[:9], *others], AT + DAY, "l2")
    assert said is not None and said.startswith("okx: the list has 9 of the 20 markets that were known")
    assert sorted(stored(db)) == sorted(one.symbol for one in many)
    assert read_lists(db) == [ListState("okx", AT + DAY, AT)]
    assert due_list(read_lists(db), ["okx"], AT + DAY + HOUR / 2) is None, "it is tried again in an hour"
    assert replace_markets(db, "okx", many[:10], AT + DAY, "l3") is None
    assert len(stored(db)) == 10


def test_a_venue_that_did_drop_its_markets_is_believed_after_a_week(db: DuckDBPyConnection) -> None:
    assert replace_markets(db, "okx", OKX, AT, "l1") is None
    assert replace_markets(db, "okx", OKX[:1], AT + 6 * DAY, "l2") is not None
    assert replace_markets(db, "okx", [], AT + 7 * DAY, "l3") is not None, "no list at all is never one"
    assert replace_markets(db, "okx", OKX[:1], AT + 7 * DAY, "l4") is None
    assert stored(db) == [OKX[0].symbol]


def test_a_first_list_without_the_built_in_markets_is_refused(db: DuckDBPyConnection) -> None:
    assert replace_markets(db, "okx", [pair("AVAX"), *OKX[:2]], AT, "l1") is not None
    assert meaning(read_instruments(db, ["BTC"], AT).market("okx", "BTC", "USDT")) == ("BTC", "USDT")
    assert replace_markets(db, "a-new-venue", [pair("AVAX")], AT, "l1") is None


def test_a_user_corrects_a_name_with_one_insert(db: DuckDBPyConnection) -> None:
    assert replace_markets(db, "okx", [*OKX, pair("HYPE")], AT, "l1") is None
    assert reason(read_instruments(db, ["______HYPE"], AT).market("okx", "______HYPE", "USDT")) == "unknown_market"
    db.execute("INSERT INTO instruments.names (venue, name, coin) VALUES ('okx', 'HYPE', '______HYPE')")
    db.execute("INSERT INTO instruments.names (venue, name, coin) VALUES ('kraken', 'XBT', 'WBTC')")
    found = read_instruments(db, ["______HYPE", "BTC", "WBTC"], AT)
    assert meaning(found.market("okx", "______HYPE", "USDT")) == ("______HYPE", "USDT")
    assert (found.coin("kraken", "XBT"), found.coin("kraken", "XXBT")) == ("WBTC", "BTC")
    assert replace_markets(db, "kraken", _known("kraken"), AT, "l2") is None
    shown = db.execute("SELECT venue, name, coin FROM instruments.names WHERE origin = 'user' ORDER BY 1").fetchall()
    assert shown == [("kraken", "XBT", "WBTC"), ("okx", "HYPE", "______HYPE")], "a list leaves them alone"


def test_two_rows_of_a_user_are_two_meanings_and_a_row_may_end(db: DuckDBPyConnection) -> None:
    db.execute(
        "INSERT INTO instruments.names (venue, name, coin, until, successor) VALUES "
        "('okx', 'BTC', 'BTC', NULL, NULL), ('okx', 'BTC', 'WBTC', NULL, NULL), ('okx', 'ETH', 'ETH', ?, 'ETH2')",
        [AT],
    )
    found = read_instruments(db, ["BTC", "ETH"], AT)
    assert (reason(found.coin("okx", "BTC")), reason(found.coin("okx", "ETH"))) == ("two_coins", "renamed")
    assert read_instruments(db, ["ETH"], AT - HOUR).coin("okx", "ETH") == "ETH"


def test_a_row_that_is_no_name_is_left_out_and_named(db: DuckDBPyConnection) -> None:
    """A typo must not stop all prices."""
    db.execute("INSERT INTO instruments.names (venue, name, coin) VALUES ('okx', 'HYPE', ''), ('okx', 'XBT', 'BTC')")
    found = read_instruments(db, ["BTC"], AT)
    [complaint] = found.complaints
    assert complaint.startswith("the name 'HYPE' of the venue 'okx': coin is ''")
    assert found.coin("okx", "XBT") == "BTC"


def test_a_name_that_is_the_code_of_one_coin_is_that_coin(db: DuckDBPyConnection) -> None:
    fetched(db, "AVAX", "HYPE", "______HYPE", "_SUI", "___META", "__META", "_BTC", "BTC", "0xBTC")
    fetched(db, "AVAX", "BTC", currency="EUR")
    names = ("AVAX", "HYPE", "SUI", "META", "0xBTC", "0XBTC", "NONE")
    assert replace_markets(db, "okx", [*OKX, *map(pair, names)], AT, "l1") is None
    for coins in (None, ["AVAX", "HYPE", "______HYPE", "_SUI", "__META", "0xBTC", "BTC", "NONE"]):
        found = read_instruments(db, coins, AT)
        assert meaning(found.market("okx", "AVAX", "USDT")) == ("AVAX", "USDT")
        assert meaning(found.market("okx", "0xBTC", "USDT")) == ("0xBTC", "USDT")
        assert meaning(found.market("okx", "BTC", "USDT")) == ("BTC", "USDT"), "what is built in comes first"
        twins = found.instrument("okx", "HYPE-USDT")
        assert isinstance(twins, Unmapped) and twins.code == "two_coins"
        assert twins.fields["coins"] == ("HYPE", "______HYPE")
        assert reason(found.instrument("okx", "META-USDT")) == "two_coins"
        assert reason(found.coin("okx", "SUI")) == "unknown_name", "its twin was never fetched"
        assert reason(found.coin("okx", "0XBTC")) == reason(found.coin("okx", "NONE")) == "unknown_name"
        assert reason(found.coin("binance", "AVAX")) == "unknown_name", "it has not listed that"
    shown = db.execute("SELECT origin, venue, name, coin FROM instruments.names WHERE name IN ('AVAX', 'HYPE', 'BTC')")
    assert sorted(shown.fetchall()) == [
        ("builtin", "*", "BTC", "BTC"),
        ("code", "okx", "AVAX", "AVAX"),
        ("code", "okx", "HYPE", "HYPE"),
        ("code", "okx", "HYPE", "______HYPE"),
    ]


def test_a_twin_that_appears_later_makes_the_name_ambiguous_at_once(db: DuckDBPyConnection) -> None:
    """Also where the table still shows what it meant when the list came."""
    fetched(db, "AVAX")
    assert replace_markets(db, "okx", [*OKX, pair("AVAX")], AT, "l1") is None
    fetched(db, "_AVAX")
    assert reason(read_instruments(db, ["AVAX"], AT).instrument("okx", "AVAX-USDT")) == "two_coins"
    for row in ("('okx', 'AVAX', 'AVAX')", "('*', 'AVAX', 'AVAX')"):
        db.execute(f"INSERT INTO instruments.names (venue, name, coin) VALUES {row}")
        assert meaning(read_instruments(db, ["AVAX"], AT).market("okx", "AVAX", "USDT")) == ("AVAX", "USDT")
        db.execute("DELETE FROM instruments.names WHERE origin = 'user'")


def test_a_name_at_coingecko_is_no_ticker(db: DuckDBPyConnection) -> None:
    fetched(db, "1337")
    listed = [*_known("coingecko"), ListedMarket("1337", "1337", "usd")]
    assert replace_markets(db, "coingecko", listed, AT, "l1") is None
    found = read_instruments(db, ["1337", "BTC"], AT)
    assert reason(found.instrument("coingecko", "1337")) == "unknown_name"
    assert meaning(found.market("coingecko", "BTC", "USD")) == ("BTC", "USD")


def test_only_currencies_that_become_usd_are_read_for_some_coins(db: DuckDBPyConnection) -> None:
    listed = [*OKX, pair("BTC", "EUR"), pair("ETH", "BTC"), pair("BTC", "USDC"), pair("USDC", "USDT")]
    assert replace_markets(db, "okx", listed, AT, "l1") is None
    found, everything = read_instruments(db, ["BTC"], AT), read_instruments(db, None, AT)
    assert meaning(everything.instrument("okx", "ETH-BTC")) == ("ETH", "BTC")
    for symbol in ("ETH-BTC", "ETH-USDT", "BTC-EUR", "BTC-USDC", "USDC-USDT"):
        assert reason(found.instrument("okx", symbol)) == "unknown_market"


NAME = st.sampled_from(["A", "_A", "B", "__B", "XA", "USDT", "USD"])
ROW = st.tuples(st.sampled_from(["x", "y", "*"]), NAME, NAME)
LISTED = st.lists(
    st.builds(
        ListedMarket, st.sampled_from(["s1", "s2", "s3"]), NAME, NAME, status=st.sampled_from(["trading", "off"])
    ),
    min_size=1,
    max_size=6,
)


@given(st.lists(ROW, max_size=4), LISTED, LISTED, st.lists(NAME, unique=True), st.lists(NAME, unique=True))
def test_what_is_read_for_some_coins_is_what_all_rows_say_of_them(
    migrated: DuckDBPyConnection,
    rows: list[tuple[str, str, str]],
    first: list[ListedMarket],
    second: list[ListedMarket],
    codes: list[str],
    coins: list[str],
) -> None:
    migrated.execute("BEGIN")
    try:
        for row in rows:
            migrated.execute("INSERT INTO instruments.names (venue, name, coin) VALUES (?, ?, ?)", list(row))
        fetched(migrated, *codes)
        for venue, listed in (("x", first), ("y", second)):
            assert replace_markets(migrated, venue, listed, AT, "l") is None
        some, everything = read_instruments(migrated, coins, AT), read_instruments(migrated, None, AT)
        for venue in ("x", "y"):
            for coin in coins:
                for currency in CURRENCIES:
                    assert some.market(venue, coin, currency) == everything.market(venue, coin, currency)
            for symbol in ("s1", "s2", "s3"):
                meant = some.instrument(venue, symbol)
                assert meant == everything.instrument(venue, symbol) or reason(meant) == "unknown_market"
    finally:
        migrated.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("states", "due"),
    [
        ([], "kraken"),  # none ever came
        ([ListState("kraken", AT - HOUR / 2, None)], "okx"),  # it was tried just now
        ([ListState("kraken", AT - HOUR, None)], "kraken"),
        ([ListState("kraken", AT - 2 * DAY, AT - 2 * DAY)], "okx"),  # first the one that has none
        ([ListState("kraken", AT - DAY, AT - DAY), ListState("okx", AT - 2 * DAY, AT - 2 * DAY)], "okx"),
        ([ListState("kraken", AT - DAY, AT - DAY), ListState("okx", AT - HOUR / 2, AT - 2 * DAY)], "kraken"),
        ([ListState("kraken", AT - HOUR, AT - DAY + HOUR), ListState("okx", AT, AT)], None),
        ([ListState("kraken", AT + DAY, AT + DAY), ListState("okx", AT, AT)], "kraken"),  # the clock was wrong
        ([ListState("kraken", AT, AT), ListState("okx", AT, AT), ListState("gone", AT - 9 * DAY, None)], None),
    ],
)
def test_one_list_at_a_time_is_due_once_a_day(states: list[ListState], due: str | None) -> None:
    assert due_list(states, ["kraken", "okx"], AT) == due
    assert due_list(states[::-1], ["kraken", "okx"], AT) == due


def test_seven_lists_come_within_minutes_and_then_once_a_day_also_if_one_always_fails(db: DuckDBPyConnection) -> None:
    requested = []
    for minute in range(2 * 24 * 60):
        now = AT + timedelta(minutes=minute)
        venue = due_list(read_lists(db), SEVEN, now) if minute < 10 or minute % 30 < 8 else None
        if venue:
            requested.append((venue, minute))
            record_attempt(db, venue, now, f"l{minute}")
            if venue != "okx":
                assert replace_markets(db, venue, _known(venue), now, f"l{minute}") is None
    assert {venue for venue, minute in requested if minute < 7} == set(SEVEN)
    counts = {venue: sum(one == venue for one, _ in requested) for venue in SEVEN}
    assert 40 <= counts.pop("okx") <= 48
    assert set(counts.values()) == {2}


def test_an_attempt_keeps_when_the_list_came(db: DuckDBPyConnection) -> None:
    assert replace_markets(db, "okx", OKX, AT, "l1") is None
    record_attempt(db, "okx", AT + DAY, "l2")
    assert read_lists(db) == [ListState("okx", AT + DAY, AT)]


def test_tracked_coins_are_those_that_three_venues_price(db: DuckDBPyConnection) -> None:
    fetched(db, "AVAX", "LINK")
    for venue in ("okx", "bybit", "binance"):
        more = [pair("AVAX"), pair("LINK", "USDT" if venue != "okx" else "BTC")]
        assert replace_markets(db, venue, [*_known(venue), *more], AT, "l1") is None
    coins = ["LINK", "AVAX", "BTC", "NONE", "BNB", "AVAX"]
    found = read_instruments(db, coins, AT)
    assert traded_coins(found, coins, SEVEN) == ("AVAX", "BTC", "BNB")
    assert traded_coins(found, coins, SEVEN, at_least=2) == ("LINK", "AVAX", "BTC", "BNB")
    assert traded_coins(found, coins, ["okx", "okx", "okx"]) == ()
    everything = read_instruments(db, None, AT)
    assert everything.trades("okx", "LINK"), "in BTC, which is no price in USD"
    assert traded_coins(everything, coins, SEVEN) == ("AVAX", "BTC", "BNB")


def test_what_the_simulated_venues_list_leads_to_the_coins_that_live_coin_watch_has(
    db: DuckDBPyConnection, start_simulator: StartSimulator
) -> None:
    simulator, server = start_simulator(**{f"{venue}_markets": 60 for venue in SEVEN})
    fetched(db, *LEADERS, "HYPE")
    for venue in (*SEVEN, "coingecko"):
        markets = client_of(venue, simulator.address_of(venue, server)).markets().records
        assert replace_markets(db, venue, markets, AT, "l1") is None
    tracked = [*LEADERS, "HYPE"]
    found = read_instruments(db, tracked, AT)
    coins = traded_coins(found, tracked, [name for name in SOURCES if name in SEVEN])
    assert set(coins) == {
        "BTC", "ETH", "XRP", "USDT", "BNB", "SOL", "DOGE", "TRX", "ADA", "LINK", "AVAX", "XLM", "BCH", "LTC",
    }  # fmt: skip
    assert reason(found.instrument("okx", "HYPE-USDT")) == "two_coins"
    assert meaning(found.instrument("kucoin_spot", "TON-USDT")) == ("TONCOIN", "USDT"), "renamed from TONCOIN-USDT"
    assert meaning(found.instrument("kraken", "XXLMZUSD")) == ("XLM", "USD")
    assert reason(read_instruments(db, None, AT).instrument("coinbase", "ETH-USDC")) == "same_book"
    everything = read_instruments(db, None, AT)
    assert reason(everything.instrument("bitstamp", "BTC/USD-PERP")) == "not_spot"
    assert reason(everything.instrument("kraken", "RHEAUSD")) == "not_trading"
    assert reason(everything.instrument("kraken", "AIOUSD")) == "unknown_name"


def _known(venue: str) -> Sequence[ListedMarket]:
    return [ListedMarket(one.symbol, one.base, one.quote, one.request) for one in MARKETS if one.venue == venue]


def test_a_coin_that_the_third_source_trades_against_usdc_alone_is_not_traded_by_three(db: DuckDBPyConnection) -> None:
    """Nothing measures USDC, so there would be no price to agree on."""
    fetched(db, "NEW")
    for venue in ("okx", "kucoin_spot"):
        assert replace_markets(db, venue, [*_known(venue), pair("NEW")], AT, "l1") is None
    assert replace_markets(db, "bybit", [*_known("bybit"), ListedMarket("NEWUSDC", "NEW", "USDC")], AT, "l1") is None
    found = read_instruments(db, ["NEW"], AT)
    assert traded_coins(found, ["NEW"], ("okx", "kucoin_spot", "bybit")) == ()
    assert traded_coins(found, ["NEW"], ("okx", "kucoin_spot", "bybit"), at_least=2) == ("NEW",)
    assert not found.trades("bybit", "NEW")
