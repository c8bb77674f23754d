"""Records from text: the recorded page to the last value, and whatever else may come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.sources.lcw_records import Coin, Credits, Exchange, OverviewPoint, read_records, rows_json

RENAMED = {"age": "age_days", "allTimeHighUSD": "all_time_high_usd", "circulatingSupply": "circulating_supply"}
RENAMED |= {"totalSupply": "total_supply", "maxSupply": "max_supply"}


def test_the_recorded_page_keeps_every_value(recorded_lcw: Path) -> None:
    [file] = recorded_lcw.glob("coins_list*.json")
    coins, rejects = read_records(Coin, file.read_text())
    assert rejects == []
    for coin, sent in zip(coins, json.loads(file.read_text()), strict=True):
        read = coin.model_dump()
        for span, multiplier in sent.pop("delta").items():
            assert read.pop(f"delta_{span}") == multiplier
        assert {name: read.pop(RENAMED.get(name, name)) for name in sent} == sent
        assert set(read.values()) == {None}  # what was not sent is null: nothing is made up


def test_one_bad_record_costs_only_itself() -> None:
    coins, rejects = read_records(Coin, '[{"code":"A","rate":1},{"code":"B","rate":"2"},{"rate":3},7,{"code":"C"}]')
    assert [coin.code for coin in coins] == ["A", "C"]
    assert [(reject.place, reject.reason, json.loads(reject.text)) for reject in rejects] == [
        (1, "rate: Input should be a valid number", {"code": "B", "rate": "2"}),
        (2, "code: Field required", {"rate": 3}),
        (3, "record: Input should be a valid dictionary or instance of Coin", 7),
    ]


@pytest.mark.parametrize("code", ["NAN", "TRUE", "00", "0xBTC", "O'NE", "APE$", "_" * 39 + "PEPE", "日本"])
def test_codes_are_text(code: str) -> None:
    [coin], _ = read_records(Coin, json.dumps([{"code": code}]))
    assert coin.code == code


@pytest.mark.parametrize(
    "record",
    [
        '{"code":""}',
        '{"code":"' + "x" * 65 + '"}',
        '{"code":7}',
        '{"code":"A","rate":1e999}',
        '{"code":"A","rate":NaN}',
        '{"code":"A","rate":true}',
        '{"code":"A","rank":1e30}',
        '{"code":"A","rank":99999999999999999999}',
        '{"code":"A","delta":7}',
        '{"code":"A","delta":{"day":"up"}}',
        '{"code":"A","links":[]}',
        '{"code":"A","categories":"meme"}',
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_reason(record: str) -> None:
    coins, [reject] = read_records(Coin, f'[{{"code":"fine"}},{record}]')
    assert [coin.code for coin in coins] == ["fine"]
    assert reject.reason


def test_numbers_come_in_every_form() -> None:
    [coin], _ = read_records(Coin, '[{"code":"BTT","rate":6.124797550357514e-7,"volume":5,"circulatingSupply":1e33}]')
    assert (coin.rate, coin.volume, coin.circulating_supply) == (6.124797550357514e-7, 5.0, 1e33)


def test_an_answer_may_be_one_record() -> None:
    [left], _ = read_records(Credits, '{"dailyCreditsRemaining": 9995, "dailyCreditsLimit": 10000}')
    assert left.remaining == 9995
    [point], _ = read_records(OverviewPoint, '{"date":1606232700000,"cap":581171117946,"volume":56158051529}')
    assert point.date.isoformat() == "2020-11-24T15:45:00+00:00"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
coin_like = st.dictionaries(
    st.sampled_from(["code", "rate", "rank", "delta", "links", "categories", "name", "maxSupply", "other"]), json_values
)


@given(st.lists(coin_like | json_values, max_size=5))
def test_every_record_is_read_or_refused_whatever_was_sent(records: list[Any]) -> None:
    good, rejects = read_records(Coin, json.dumps(records))
    assert len(good) + len(rejects) == len(records)
    assert len(json.loads(rows_json(good))) == len(good)


@given(st.text(max_size=30))
def test_no_text_breaks_reading(text: str) -> None:
    good, rejects = read_records(Exchange, text)
    assert all(isinstance(record, Exchange) for record in good)
    assert all(reject.reason for reject in rejects)
