"""The simulated KuCoin: its market, its forms, its faults."""

from __future__ import annotations

import itertools
import json
import re
from datetime import timedelta

import pytest
import requests

from lcw_assets.simulator.discovery import discover, profiles
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.kucoin_futures import ENDPOINT, Futures
from lcw_assets.simulator.live_coin_watch.aggregate import Aggregate
from lcw_assets.simulator.market import DAY, Market
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.patience import PATIENCE_S

MINUTE = int(NOON.timestamp()) // 60


def get(address: str) -> requests.Response:
    return requests.get(f"{address}/{ENDPOINT}", timeout=PATIENCE_S)


def symbols(futures: Futures, minute: int) -> dict[str, bool]:
    return {contract.symbol: contract.paused for contract in futures.listed(minute)}


def test_a_market_is_a_function_of_seed_and_minute() -> None:
    futures = [Futures(Market(seed), 50) for seed in (1, 1, 2)]
    documents = [[one.document(at, MINUTE) for at in one.listed(MINUTE)] for one in futures]
    assert documents[0] == documents[1] != documents[2]


def test_contracts_come_go_return_and_pause() -> None:
    futures, days = Futures(Market(1), 300), 2
    seen = [symbols(futures, minute) for minute in range(MINUTE, MINUTE + days * 1440, 5)]
    every = {symbol for minute in seen for symbol in minute}
    lives = {symbol: "".join("x" if symbol in minute else "." for minute in seen) for symbol in every}
    assert any(re.fullmatch(r"\.+x+.*", life) for life in lives.values()), "none was listed"
    assert any(re.fullmatch(r".*x+\.+", life) for life in lives.values()), "none was delisted"
    assert any(re.search(r"x\.+x", life) for life in lives.values()), "none came back"
    assert any(minute.get(symbol) for minute in seen for symbol in minute), "none was paused"
    assert sum("." not in life for life in lives.values()) > 250
    assert all(0.9 * 300 < len(minute) <= 300 for minute in seen)


def test_a_place_is_left_for_a_while_or_taken_by_another_coin() -> None:
    """Or by nobody and nothing else: most contracts stay."""
    futures = Futures(Market(1), 300)
    lives = [[futures.at(place, minute) for minute in range(MINUTE, MINUTE + DAY, 10)] for place in range(300)]
    back, replaced, steady = 0, 0, 0
    for life in lives:
        slots = [contract.coin.slot for contract in life if contract]
        back += len(set(slots)) == 1 and None in life[1:-1]
        replaced += len(set(slots)) > 1 and None not in life
        steady += len(set(life)) == 1
    assert 3 < back < 20
    assert 3 < replaced < 20
    assert steady > 250


def test_with_500_something_happens_every_few_minutes() -> None:
    futures = Futures(Market(1), 500)
    seen = [symbols(futures, minute) for minute in range(MINUTE, MINUTE + 240)]
    changes = sum(before != after for before, after in itertools.pairwise(seen))
    assert 240 / 8 < changes < 240 / 2


@pytest.mark.parametrize("contracts", [10, 100, 5_000, 50_000])
def test_as_many_as_are_wanted_and_none_twice(contracts: int) -> None:
    found = [contract.symbol for contract in Futures(Market(1), contracts).listed(MINUTE)]
    assert 0.95 * contracts < len(found) <= contracts
    assert len(set(found)) == len(found)


def test_more_than_there_are_coins_for_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no coins for 70000 contracts: 63992 at most"):
        Futures(Market(1), 70_000)


def test_every_contract_is_on_a_coin_that_the_market_has_then() -> None:
    market, days = Market(1), 3
    futures, ends = Futures(market, 500), 0
    before: dict[int, str] = {}
    for minute in range(MINUTE, MINUTE + days * DAY, 30):
        now = {contract.place: contract for contract in futures.listed(minute)}
        for contract in now.values():
            assert market.find(contract.coin.code, minute) == contract.coin
            assert contract.coin.listed_at <= contract.since <= minute
        ends += sum(market.find(code, minute) is None for code in before.values())
        before = {place: contract.coin.code for place, contract in now.items()}
    assert ends > 10  # coins died, and their contracts with them


def test_its_prices_are_those_of_the_market(start_simulator: StartSimulator) -> None:
    """Over the wire, beside Live Coin Watch from the same address: 114,000 here and 95,000 there was one bitcoin."""
    _, address = start_simulator()
    contracts = {one["symbol"]: one for one in get(address).json()["data"]}
    pages = [
        requests.post(f"{address}/coins/list", json={"limit": 100, "offset": n}, timeout=PATIENCE_S) for n in (0, 100)
    ]
    rates = {coin["code"]: coin["rate"] for page in pages for coin in page.json()}
    for symbol, code in {"XBTUSDTM": "BTC", "ETHUSDTM": "ETH", "SUIUSDTM": "_SUI", "TONUSDTM": "TONCOIN"}.items():
        for price in ("markPrice", "indexPrice", "lastTradePrice"):
            assert contracts[symbol][price] * rates["USDT"] == pytest.approx(rates[code], rel=6e-4), (symbol, price)
    assert contracts["XBTUSDM"]["markPrice"] == pytest.approx(rates["BTC"], rel=6e-4)
    assert contracts["XBTUSDM"]["markPrice"] != contracts["XBTUSDTM"]["markPrice"]


def test_the_same_coins_as_live_coin_watch_ranks_at_their_prices() -> None:
    market = Market(1)
    futures, shown = Futures(market, 500), Aggregate(market)
    for contract in futures.listed(MINUTE):
        document = json.loads(futures.document(contract, MINUTE))
        usd = 1.0 if contract.quote == "USD" else market.usd_per(contract.quote, MINUTE)
        assert document["markPrice"] * usd == pytest.approx(shown.rate(contract.coin, MINUTE), rel=0.05), contract
        off = document["lastTradePrice"] / document["markPrice"] - 1
        assert abs(off) < 2e-4 + document["tickSize"] / document["markPrice"]
        steps = document["lastTradePrice"] / document["tickSize"]
        assert steps == pytest.approx(round(steps), abs=1e-3)


def test_a_step_of_a_price_stays_while_prices_move() -> None:
    futures = Futures(Market(1), 60)
    months = [
        {contract.symbol: json.loads(futures.document(contract, minute))["tickSize"] for contract in found}
        for minute in range(MINUTE, MINUTE + 120 * DAY, 30 * DAY)
        for found in [list(futures.listed(minute))]
    ]
    for before, after in itertools.pairwise(months):
        assert all(before[symbol] == after[symbol] for symbol in before.keys() & after.keys())


def test_its_responses_have_the_forms_of_real_ones(start_simulator: StartSimulator) -> None:
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
def test_what_goes_wrong_with_a_response(start_simulator: StartSimulator, kind: str) -> None:
    whole = get(start_simulator()[1]).json()["data"]
    simulator, address = start_simulator(profile=lambda _: Fault(kind))
    text = get(address).text
    [entry] = simulator.ledger.entries
    assert (entry.fault, entry.status, entry.good) == (kind, 200, kind == "repeated")
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


@pytest.mark.parametrize("status", [429, 503])
def test_an_error_has_its_code_and_no_headers(start_simulator: StartSimulator, status: int) -> None:
    response = get(start_simulator(profile=lambda _: Fault("error", status=status))[1])
    assert (response.status_code, response.json()["code"]) == (status, f"{status}000")
    assert "gw-ratelimit-limit" not in response.headers  # an overload, and no limit that a client has used up


def test_odd_is_about_kucoin_alone() -> None:
    odd = profiles(discover())["kucoin-odd"]
    kucoin, other = (
        [odd(Draw(1, ENDPOINT, "", number, number, provider)).kind for number in range(2_000)]
        for provider in ("kucoin_futures", "live_coin_watch")
    )
    assert set(other) == {"none"}
    assert set(kucoin) == {"none", "half", "empty", "renamed", "lost_field", "repeated", "truncated", "error"}
    assert 0.2 < 1 - kucoin.count("none") / 2_000 < 0.3


def test_a_window_of_30_s_opens_again(start_simulator: StartSimulator) -> None:
    now = NOON
    _, address = start_simulator(kucoin_limit=5, clock=lambda: now)
    assert [get(address).status_code for _ in range(2)] == [200, 429]
    now = NOON + timedelta(seconds=29)
    response = get(address)
    assert (response.status_code, response.headers["gw-ratelimit-reset"]) == (429, "1000")
    now = NOON + timedelta(seconds=30)
    assert get(address).status_code == 200
