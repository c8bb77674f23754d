"""What the settings of consensus prices may say."""

from __future__ import annotations

import re

import pytest

from lcw_assets.settings import SettingsError, load_settings
from lcw_assets.sources.spec import group

SEVEN = ["binance", "bitstamp", "bybit", "coinbase", "kraken", "kucoin_spot", "okx"]


def test_by_default_seven_exchanges_price_six_coins_once_a_minute() -> None:
    found = load_settings()
    assert found.symbols == ["BTC", "ETH", "SOL", "XRP", "DOGE", "BNB"]
    assert found.price_sources == SEVEN
    assert (found.price_backups, found.prices_quorum, found.prices_method) == ({}, 3, "median")
    assert (list(found.prices_rounds_s), found.prices_deadline_s) == ([0], 10.0)


@pytest.mark.parametrize(("text", "symbols"), [("tracked", None), (" NAN, TRUE\n00 NAN", ["NAN", "TRUE", "00"])])
def test_coins_are_codes_or_what_is_tracked(text: str, symbols: list[str] | None) -> None:
    assert load_settings(PRICES_SYMBOLS=text).symbols == symbols


@pytest.mark.parametrize("seconds", range(5, 31))
def test_the_last_round_has_ended_by_second_50_and_before_the_next_one_begins(seconds: int) -> None:
    found = load_settings(PRICES_ROUND_S=str(seconds))
    begin = list(found.prices_rounds_s)
    assert begin[:2] == [0, seconds]
    assert begin[-1] + found.prices_deadline_s <= 50 < begin[-1] + seconds + found.prices_deadline_s
    assert found.prices_deadline_s < seconds


def test_a_source_that_is_only_a_backup_waits_for_its_turn() -> None:
    found = load_settings(PRICES_SOURCES="kraken,coinbase,okx", PRICES_BACKUPS="coinbase:bitstamp, okx:bybit")
    assert found.price_sources == ["kraken", "coinbase", "okx"]
    assert found.price_backups == {"coinbase": "bitstamp", "okx": "bybit"}


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PRICES_SYMBOLS", " , ", "it names no coin: set it to codes (BTC,ETH), or to tracked"),
        ("PRICES_SYMBOLS", "BTC," + 65 * "E", "word 2 is no code of a coin"),
        ("PRICES_SYMBOLS", "BTC\u202e", "word 1 is no code of a coin"),
        ("PRICES_METHOD", "mean", "PRICES_METHOD=mean: it must be median or volume"),
        ("PRICES_QUORUM", "1", "PRICES_QUORUM=1 is out of range: it must be a number from 2 to 20"),
        ("PRICES_ROUND_S", "4", "it must be 0, for one round a minute, or from 5 to 30"),
        ("PRICES_ROUND_S", "31", "it must be 0, for one round a minute, or from 5 to 30"),
        ("PRICES_SOURCES", "kraken,coingecko", "'coingecko' is none: expected some of binance, bitstamp, bybit"),
        ("PRICES_SOURCES", "mtgox", "'mtgox' is none: expected some of"),
        ("PRICES_BACKUPS", "kraken", "'kraken' is no pair: expected the source, a colon, and its backup"),
        ("PRICES_BACKUPS", "kraken:kraken", "'kraken:kraken' is no pair"),
        ("PRICES_BACKUPS", "kraken:mtgox", "'mtgox' is none"),
        ("PRICES_DEPEG", "0", "PRICES_DEPEG=0 is out of range"),
        ("PRICES_LCW_DEVIATION", "nan", "PRICES_LCW_DEVIATION"),
    ],
)
def test_what_cannot_be_is_reported_in_one_line(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(says)) as raised:
        load_settings(**{variable: value})
    assert variable in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nobody_is_called_where_a_user_wants_no_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().of(group("prices")).off is None
    monkeypatch.setenv("PRICES_SOURCES", " None ")
    found = load_settings()
    assert found.of(group("prices")).off == "prices are off: PRICES_SOURCES=none"
    assert found.price_sources == []
