"""What a venue's names mean. What is unknown, renamed, delisted or means two coins is a reason and never a guess."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.instruments.instruments import Instrument, Instruments
from lcw_assets.instruments.known import MARKETS, NAMES
from lcw_assets.instruments.names import EVERYWHERE, CoinName, Market, Unmapped, corrected
from lcw_assets_tests.conftest import recorded_folder

AT = datetime(2026, 7, 27, tzinfo=timezone.utc)
KNOWN = Instruments(NAMES, MARKETS, AT)


def meaning(found: Instrument | Unmapped) -> tuple[str, str]:
    assert isinstance(found, Instrument), found
    return found.coin, found.currency


def reason(found: object) -> tuple[str, dict[str, Any]]:
    assert isinstance(found, Unmapped)
    return found.code, dict(found.fields)


@pytest.mark.parametrize(
    ("venue", "symbol", "coin", "currency"),
    [
        ("kraken", "XXBTZUSD", "BTC", "USD"),
        ("kraken", "XDGUSD", "DOGE", "USD"),
        ("kraken", "USDTZUSD", "USDT", "USD"),
        ("coinbase", "BTC-USD", "BTC", "USD"),
        ("bitstamp", "BTC/USD", "BTC", "USD"),
        ("okx", "BTC-USDT", "BTC", "USDT"),
        ("okx", "USDT-USD", "USDT", "USD"),
        ("binance", "BTCUSDT", "BTC", "USDT"),
        ("kucoin_spot", "BNB-USDT", "BNB", "USDT"),
        ("bybit", "DOGEUSDT", "DOGE", "USDT"),
    ],
)
def test_the_same_coin_under_many_names(venue: str, symbol: str, coin: str, currency: str) -> None:
    found = KNOWN.instrument(venue, symbol)
    assert meaning(found) == (coin, currency)
    assert KNOWN.market(venue, coin, currency) == found


def test_what_is_requested_may_have_another_name_than_what_comes() -> None:
    bitcoin, dogecoin = KNOWN.market("kraken", "BTC", "USD"), KNOWN.market("kraken", "DOGE", "USD")
    assert isinstance(bitcoin, Instrument)
    assert isinstance(dogecoin, Instrument)
    assert (bitcoin.market.request, bitcoin.market.symbol) == ("XBTUSD", "XXBTZUSD")
    assert (dogecoin.market.request, dogecoin.market.symbol) == ("XDGUSD", "XDGUSD")


def test_names_of_one_venue_are_no_names_at_another() -> None:
    assert KNOWN.coin("kraken", "XBT") == "BTC"
    assert reason(KNOWN.coin("okx", "XBT"))[0] == "unknown_name"
    assert reason(KNOWN.instrument("kraken", "BTCUSDT"))[0] == "unknown_market"
    assert reason(KNOWN.instrument("kraken", "XBTUSD"))[0] == "unknown_market", "it never comes so"
    assert reason(KNOWN.market("kraken", "BNB", "USD")) == (
        "unknown_market",
        {"venue": "kraken", "coin": "BNB", "currency": "USD"},
    )
    assert KNOWN.trades("okx", "BNB")
    assert not KNOWN.trades("kraken", "BNB")


def test_letters_are_never_stripped() -> None:
    """AIO and AIOZ, both at Kraken in USD: whoever strips an X or a Z reads AIOUSD twice."""
    names = [CoinName("kraken", "AIO", "AIO"), CoinName("kraken", "AIOZ", "AIOZ"), *NAMES]
    markets = [Market("kraken", "AIOUSD", "AIO", "USD"), Market("kraken", "AIOZUSD", "AIOZ", "USD")]
    found = Instruments(names, markets, AT)
    assert [meaning(found.instrument("kraken", one.symbol))[0] for one in markets] == ["AIO", "AIOZ"]


def test_a_name_that_means_two_coins_is_neither() -> None:
    rows = [CoinName(EVERYWHERE, "HYPE", "HYPE"), CoinName(EVERYWHERE, "HYPE", "______HYPE"), *NAMES]
    found = Instruments(rows, [Market("okx", "HYPE-USDT", "HYPE", "USDT")], AT)
    assert reason(found.instrument("okx", "HYPE-USDT")) == (
        "two_coins",
        {"venue": "okx", "symbol": "HYPE-USDT", "name": "HYPE", "coins": ("HYPE", "______HYPE")},
    )
    assert reason(found.market("okx", "HYPE", "USDT"))[0] == "unknown_market"
    decided = corrected(rows, [CoinName(EVERYWHERE, "HYPE", "______HYPE")])
    assert Instruments(decided, [], AT).coin("okx", "HYPE") == "______HYPE"


def test_a_venues_own_row_comes_before_the_one_for_everywhere() -> None:
    rows = [CoinName(EVERYWHERE, "META", "META"), CoinName("bybit", "META", "__META")]
    found = Instruments(rows, [], AT)
    assert (found.coin("okx", "META"), found.coin("bybit", "META")) == ("META", "__META")


def test_a_renamed_coin_and_a_delisted_one_say_so_from_their_day_on() -> None:
    day = timedelta(days=1)
    rows = [CoinName("okx", "MATIC", "POL", until=AT, successor="POL"), CoinName("okx", "FTT", "FTT", until=AT)]
    assert Instruments(rows, [], AT - day).coin("okx", "MATIC") == "POL"
    after = Instruments(rows, [], AT)
    assert reason(after.coin("okx", "MATIC")) == (
        "renamed", {"venue": "okx", "name": "MATIC", "coin": "POL", "until": AT, "successor": "POL"},
    )  # fmt: skip
    assert reason(after.coin("okx", "FTT")) == (
        "delisted", {"venue": "okx", "name": "FTT", "coin": "FTT", "until": AT},
    )  # fmt: skip


def test_a_name_that_was_given_to_another_coin_means_each_in_its_time() -> None:
    day = timedelta(days=1)
    rows = [
        CoinName("okx", "LUNA", "LUNC", until=AT, successor="LUNC"),
        CoinName("okx", "LUNA", "_LUNA", since=AT + 2 * day),
    ]
    found = [Instruments(rows, [], AT + offset * day).coin("okx", "LUNA") for offset in (-1, 1, 2)]
    assert (found[0], found[2]) == ("LUNC", "_LUNA")
    assert reason(found[1])[0] == "renamed"
    later = Instruments(rows[1:], [], AT).coin("okx", "LUNA")
    assert reason(later) == ("not_yet", {"venue": "okx", "name": "LUNA", "since": AT + 2 * day})


def test_only_spot_markets_that_trade_and_have_a_book_of_their_own_have_a_price() -> None:
    markets = [
        Market("bitstamp", "BTC/USD-PERP", "BTC", "USD", kind="perpetual"),
        Market("kraken", "RHEAUSD", "BTC", "USD", status="cancel_only"),
        Market("coinbase", "BTC-USDC", "BTC", "USDC", same_book="BTC-USD"),
    ]
    found = Instruments(NAMES, markets, AT)
    assert [reason(found.instrument(one.venue, one.symbol)) for one in markets] == [
        ("not_spot", {"venue": "bitstamp", "symbol": "BTC/USD-PERP", "kind": "perpetual"}),
        ("not_trading", {"venue": "kraken", "symbol": "RHEAUSD", "status": "cancel_only"}),
        ("same_book", {"venue": "coinbase", "symbol": "BTC-USDC", "of": "BTC-USD"}),
    ]


def test_a_symbol_with_two_meanings_and_a_coin_with_two_symbols_are_not_chosen_between() -> None:
    twice = [Market("x", "BTCUSD", "BTC", "USD"), Market("x", "BTCUSD", "ETH", "USD")]
    assert reason(Instruments(NAMES, twice, AT).instrument("x", "BTCUSD")) == (
        "two_markets", {"venue": "x", "symbol": "BTCUSD", "meanings": ("BTC/USD spot", "ETH/USD spot")},
    )  # fmt: skip
    both = [Market("x", "BTCUSD", "BTC", "USD"), Market("x", "BTC2USD", "BTC", "USD")]
    assert reason(Instruments(NAMES, both, AT).market("x", "BTC", "USD"))[1]["symbols"] == ("BTC2USD", "BTCUSD")
    same = [Market("x", "BTCUSD", "BTC", "USD"), Market("x", "BTCUSD", "BTC", "USD")]
    assert meaning(Instruments(NAMES, same, AT).instrument("x", "BTCUSD")) == ("BTC", "USD")


@pytest.mark.parametrize("code", ["NAN", "TRUE", "00", "0xBTC", "O'NE", "null", "1e5", "btc", "_" * 39 + "PEPE"])
def test_codes_are_text_whatever_they_look_like(code: str) -> None:
    rows = [CoinName("x", code, code), CoinName("x", "USD", "USD")]
    found = Instruments(rows, [Market("x", f"{code}USD", code, "USD")], AT)
    assert meaning(found.instrument("x", f"{code}USD")) == (code, "USD")
    assert reason(found.coin("x", code.swapcase() if code.swapcase() != code else f"{code} "))[0] == "unknown_name"


@pytest.mark.parametrize("wrong", ["", "x" * 65, 0, None])
def test_what_is_no_code_is_named(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"name is .* which is no text of 1 to 64 characters"):
        CoinName("x", wrong, "BTC")
    with pytest.raises(ValueError, match="base is"):
        Market("x", "BTCUSD", wrong, "USD")
    with pytest.raises(ValueError, match="no 'until'"):
        CoinName("x", "A", "B", successor="C")


SMALL = st.sampled_from(["A", "B", "C"])
TIMES = st.none() | st.sampled_from([AT - timedelta(days=1), AT, AT + timedelta(days=1)])
ROWS = st.lists(st.builds(CoinName, st.sampled_from(["x", EVERYWHERE]), SMALL, SMALL, TIMES, TIMES), max_size=6)
LISTED = st.lists(st.builds(Market, st.just("x"), SMALL, SMALL, SMALL), max_size=6)


@given(ROWS, LISTED, st.randoms())
def test_the_order_of_rows_does_not_matter_and_each_way_leads_back(
    rows: list[CoinName], markets: list[Market], random: Any
) -> None:
    found = Instruments(rows, markets, AT)
    random.shuffle(rows)
    random.shuffle(markets)
    again = Instruments(rows, markets, AT)
    for symbol in "ABC":
        assert again.coin("x", symbol) == found.coin("x", symbol)
        meant = found.instrument("x", symbol)
        assert again.instrument("x", symbol) == meant
        if isinstance(meant, Instrument):
            back = found.market("x", meant.coin, meant.currency)
            assert back == meant or (isinstance(back, Unmapped) and back.code == "two_markets")


def test_recorded_symbols_are_those_that_are_known() -> None:
    folder = recorded_folder("sources")
    kraken = json.loads((folder / "kraken" / "ticker_many_2026-07-27.json").read_bytes())["result"]
    found = {symbol: KNOWN.instrument("kraken", symbol) for symbol in kraken}
    assert {symbol: meaning(one)[0] for symbol, one in found.items() if isinstance(one, Instrument)} == {
        "XXBTZUSD": "BTC", "XETHZUSD": "ETH", "USDTZUSD": "USDT", "XDGUSD": "DOGE",
    }  # fmt: skip
    okx = json.loads((folder / "okx" / "tickers_spot_2026-07-27.json").read_bytes())["data"]
    assert [row["instId"] for row in okx if isinstance(KNOWN.instrument("okx", row["instId"]), Instrument)] == [
        "USDT-USD", "BTC-USDT",
    ]  # fmt: skip
