"""The simulated KuCoin: its market, its forms, its faults."""

from __future__ import annotations

import json
import re

import pytest
import requests

from lcw_assets.simulator.faults import Fault, Kind
from lcw_assets.simulator.kucoin import Futures
from lcw_assets.simulator.kucoin_api import ENDPOINT
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.patience import PATIENCE_S

MINUTE = int(NOON.timestamp()) // 60


def get(address: str) -> requests.Response:
    return requests.get(f"{address}/{ENDPOINT}", timeout=PATIENCE_S)


def symbols(futures: Futures, minute: int) -> dict[str, bool]:
    return {contract.symbol: contract.paused for contract in futures.listed(minute)}


def test_a_market_is_a_function_of_seed_and_minute() -> None:
    one, other = Futures(1, 50), Futures(2, 50)
    documents = [[futures.document(at, MINUTE) for at in futures.listed(MINUTE)] for futures in (one, one, other)]
    assert documents[0] == documents[1] != documents[2]


def test_contracts_come_go_return_and_pause() -> None:
    futures, days = Futures(1, 300), 2
    seen = [symbols(futures, minute) for minute in range(MINUTE, MINUTE + days * 1440, 5)]
    every = {symbol for minute in seen for symbol in minute}
    lives = {symbol: "".join("x" if symbol in minute else "." for minute in seen) for symbol in every}
    assert any(re.fullmatch(r"\.+x+.*", life) for life in lives.values()), "none was listed"
    assert any(re.fullmatch(r".*x+\.+", life) for life in lives.values()), "none was delisted"
    assert any(re.search(r"x\.+x", life) for life in lives.values()), "none came back"
    assert any(minute.get(symbol) for minute in seen for symbol in minute), "none was paused"
    assert sum("." not in life for life in lives.values()) > 250
    assert all(0.9 * 300 < len(minute) <= 300 for minute in seen)


@pytest.mark.parametrize("slots", [100, 5000])
def test_as_many_as_are_asked_for_and_none_twice(slots: int) -> None:
    found = [contract.symbol for contract in Futures(1, slots).listed(MINUTE)]
    assert 0.95 * slots < len(found) <= slots
    assert len(set(found)) == len(found)


def test_its_answers_have_the_forms_of_real_ones(start_simulator: StartSimulator) -> None:
    response = get(start_simulator()[1])
    text = response.text
    for form in (r'"openInterest":"\d+"', r"\d\.\d+E\+\d\d", r"E-\d", r"1000000\.0000000000", ":null", ':""'):
        assert re.search(form, text), form
    assert all(response.headers[f"gw-ratelimit-{name}"] for name in ("limit", "remaining", "reset"))
    assert response.headers["x-lcw-simulator"]
    assert json.loads(text)["code"] == "200000"
    assert requests.post(f"{start_simulator()[1]}/{ENDPOINT}", timeout=PATIENCE_S).status_code == 405


def test_over_the_limit_is_429000_with_headers(start_simulator: StartSimulator) -> None:
    _, address = start_simulator(kucoin_limit=5)
    assert get(address).status_code == 200
    response = get(address)
    assert (response.status_code, response.json()["code"]) == (429, "429000")
    assert response.headers["gw-ratelimit-remaining"] == "0"


@pytest.mark.parametrize("kind", ["empty", "half", "renamed", "lost_field", "repeated", "truncated", "wrong_shape"])
def test_what_goes_wrong_with_an_answer(start_simulator: StartSimulator, kind: Kind) -> None:
    whole = get(start_simulator()[1]).json()["data"]
    text = get(start_simulator(profile=lambda _: Fault(kind))[1]).text
    if kind == "truncated":
        with pytest.raises(ValueError, match=r"."):
            json.loads(text)
        return
    data = json.loads(text)["data"]
    facts = {
        "empty": data == [],
        "half": len(data) == len(whole) // 2,
        "renamed": "takerFee" in str(data) and "takerFeeRate" not in str(data),
        "lost_field": 0 < sum("maxLeverage" not in one for one in data) < len(data) / 4,
        "repeated": len(data) == len(whole) + 5,
        "wrong_shape": isinstance(data, dict),
    }
    assert facts[kind]
