"""Records from text: the recorded page to the last value, and whatever else may come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.sources.lcw.records import (
    Coin,
    Credits,
    Exchange,
    Overview,
    OverviewPoint,
    Quote,
    read_records,
    rows_json,
)

RENAMED = {"age": "age_days", "allTimeHighUSD": "all_time_high_usd", "circulatingSupply": "circulating_supply"}
RENAMED |= {"totalSupply": "total_supply", "maxSupply": "max_supply"}


def test_the_recorded_page_keeps_every_value(recorded_lcw: Path) -> None:
    [file] = recorded_lcw.glob("coins_list*.json")
    read = read_records(Coin, file.read_text())
    assert (read.entries, read.usable, read.refused) == (100, 100, {})
    for coin, sent in zip(read.records, json.loads(file.read_text()), strict=True):
        values = coin.model_dump()
        for span, multiplier in sent.pop("delta").items():
            assert values.pop(f"delta_{span}") == multiplier
        assert {name: values.pop(RENAMED.get(name, name)) for name in sent} == sent
        assert set(values.values()) == {None}  # what was not sent is null: nothing is made up


def test_a_value_that_cannot_be_read_costs_itself_and_a_record_without_a_code_is_none() -> None:
    read = read_records(Coin, '[{"code":"A","rate":1},{"code":"B","rate":"2","cap":5},{"rate":3},7,{"code":"C"}]')
    assert [(coin.code, coin.rate, coin.cap) for coin in read.records] == [
        ("A", 1, None),
        ("B", None, 5),
        ("C", None, None),
    ]
    assert (read.entries, list(read.places), read.usable) == (5, [0, 1, 4], 2)
    assert {reason: [json.loads(text) for text in refused.texts] for reason, refused in read.refused.items()} == {
        "rate: Input should be a valid number": [{"code": "B", "rate": "2", "cap": 5}],
        "code: Field required": [{"rate": 3}],
        "record: Input should be a valid dictionary or instance of Coin": [7],
    }


# What the parser itself refuses, and with it the whole text.
UNREADABLE = [
    pytest.param(r'"Rocket \ud83d"', id="lone surrogate"),
    pytest.param(r'"\udc00 Rocket"', id="lone low surrogate"),
    pytest.param("9" * 5_000, id="5,000 digits"),
    pytest.param("-1." + "9" * 5_000 + "e9999999999", id="exponent"),
    pytest.param("[" * 500 + "]" * 500, id="nested"),
    pytest.param('{"a":' * 500 + "1" + "}" * 500, id="nested objects"),
    pytest.param('"a\tb"', id="control character"),
    pytest.param("nul", id="no value at all"),
    pytest.param("1e999", id="infinite"),
]


@pytest.mark.parametrize("value", UNREADABLE)
@pytest.mark.parametrize("name", ["name", "rate", "links", "categories", "other"])
def test_what_no_parser_takes_costs_its_value_and_no_neighbour(name: str, value: str) -> None:
    odd = f'{{"code":"ODD","rate":2,"{name}":{value},"cap":7}}'
    read = read_records(Coin, f'[{{"code":"A","rate":1}},{odd},{{"code":"C","rate":3}}]')
    assert [(coin.code, coin.cap) for coin in read.records] == [("A", None), ("ODD", 7), ("C", None)]
    assert [coin.rate for coin in read.records] == [1, None if name == "rate" else 2, 3]
    assert read.usable == (3 if name in ("name", "links", "categories") or not read.refused else 2)
    for refused in read.refused.values():
        assert refused.entries == 1
        assert refused.texts[0].startswith('{"code":"ODD"')
        assert len(refused.texts[0]) < 2_100  # an excerpt, whatever was sent


@pytest.mark.parametrize("value", UNREADABLE)
def test_where_the_code_cannot_be_read_the_neighbours_can(value: str) -> None:
    read = read_records(Quote, f'[{{"code":"A"}},{{"code":{value},"rate":2}},{{"code":"C"}}]')
    assert ([coin.code for coin in read.records], list(read.places)) == (["A", "C"], [0, 2])
    assert all(reason.startswith("code") for reason in read.refused)


def test_a_response_that_is_one_record_keeps_what_can_be_read() -> None:
    read = read_records(Overview, f'{{"cap":{"9" * 5_000},"volume":5,"btcDominance":"half"}}')
    assert [record.model_dump() for record in read.records] == [
        {"cap": None, "volume": 5.0, "liquidity": None, "btc_dominance": None}
    ]
    assert (read.entries, read.usable, len(read.refused)) == (1, 0, 2)


def test_a_thousand_of_a_kind_are_counted_and_twenty_kept() -> None:
    read = read_records(Quote, json.dumps([{"code": f"C{number}", "rate": "1"} for number in range(1_000)]))
    [(reason, refused)] = read.refused.items()
    assert (reason, refused.entries, len(refused.texts)) == ("rate: Input should be a valid number", 1_000, 20)
    assert (len(read.records), read.usable) == (1_000, 0)


@pytest.mark.parametrize("code", ["NAN", "TRUE", "00", "0xBTC", "O'NE", "APE$", "_" * 39 + "PEPE", "日本"])
def test_codes_are_text(code: str) -> None:
    [coin] = read_records(Coin, json.dumps([{"code": code}])).records
    assert coin.code == code


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"code":""}', "code: String should have at least 1 character"),
        ('{"code":"' + "x" * 65 + '"}', "code: String should have at most 64 characters"),
        ('{"code":7}', "code: Input should be a valid string"),
        ('{"code":"A","rate":1e999}', "rate: Input should be a finite number"),
        ('{"code":"A","rate":NaN}', "rate: Input should be a finite number"),
        ('{"code":"A","rate":true}', "rate: Input should be a valid number"),
        ('{"code":"A","rank":1e30}', "rank: Input should be a valid integer"),
        ('{"code":"A","rank":99999999999999999999}', "rank: Input should be less than 9223372036854775808"),
        ('{"code":"A","delta":7}', "delta: Input should be a valid dictionary"),
        ('{"code":"A","delta":{"day":"up","hour":1}}', "delta.day: Input should be a valid number"),
        ('{"code":"A","links":[]}', "links: Input should be a valid dictionary"),
        ('{"code":"A","categories":"meme"}', "categories: Input should be a valid list"),
        ('{"code":"A","categories":["meme",{}]}', "categories: Input should be a valid string"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_reason(record: str, reason: str) -> None:
    read = read_records(Coin, f'[{{"code":"fine"}},{record}]')
    assert [coin.code for coin in read.records] == ["fine", *(["A"] if '"code":"A"' in record else [])]
    assert list(read.refused) == [reason]
    if "hour" in record:
        assert read.records[1].delta_hour == 1


def test_numbers_come_in_every_form() -> None:
    [coin] = read_records(
        Coin, '[{"code":"BTT","rate":6.124797550357514e-7,"volume":5,"circulatingSupply":1e33}]'
    ).records
    assert (coin.rate, coin.volume, coin.circulating_supply) == (6.124797550357514e-7, 5.0, 1e33)


def test_a_response_may_be_one_record() -> None:
    [left] = read_records(Credits, '{"dailyCreditsRemaining": 9995, "dailyCreditsLimit": 10000}').records
    assert left.remaining == 9995
    [point] = read_records(OverviewPoint, '{"date":1606232700000,"cap":581171117946,"volume":56158051529}').records
    assert point.date.isoformat() == "2020-11-24T15:45:00+00:00"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
coin_like = st.builds(
    lambda values, code: values | code,
    st.dictionaries(
        st.sampled_from(["code", "rate", "rank", "delta", "links", "categories", "name", "maxSupply", "other"]),
        json_values,
    ),
    st.sampled_from([{}, {"code": "A"}, {"code": "B"}]),
)


@given(st.lists(coin_like | json_values, max_size=5))
def test_every_record_is_read_or_refused_whatever_was_sent(records: list[Any]) -> None:
    read = read_records(Coin, json.dumps(records))
    assert read.entries == len(records)
    assert len(json.loads(rows_json(read.records))) == len(read.records)
    named = [record for record in records if isinstance(record, dict) and record.get("code") in ("A", "B")]
    assert [coin.code for coin in read.records if coin.code in ("A", "B")] == [record["code"] for record in named]
    assert (len(read.records) < len(records)) <= bool(read.refused)


@given(st.text(max_size=30))
def test_no_text_breaks_reading(text: str) -> None:
    read = read_records(Exchange, text)
    assert all(isinstance(record, Exchange) for record in read.records)
    assert read.records or read.refused or text.strip() == "[]" or not read.entries
