"""From a body to tickers: dead and odd prices stay what they are, and a bad value loses nothing but itself."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.simulator.books import LIES, Books, lie
from lcw_assets.simulator.faults import Fault
from lcw_assets.simulator.market import Market
from lcw_assets.sources.tickers import NoTickersError, Tickers
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.sources.prices import BITCOIN, IN_USDT, SOURCES, by_market, call

READ = {name: source.client_class().read_tickers for name, source in SOURCES.items()}


def okx(*rows: Any) -> str:
    return json.dumps({"code": "0", "msg": "", "data": rows})


def row(market: Any = "BTC-USDT", **values: Any) -> dict[str, Any]:
    return {"instId": market, "bidPx": "1", "askPx": "2", "last": "1.5", "vol24h": "9", "ts": "1785145938266", **values}


def reasons(found: Tickers) -> list[str]:
    return [refusal.reason for refusal in found.refusals]


def test_what_is_dead_comes_as_it_was_sent() -> None:
    """Zeros, an empty book, a market where nobody trades, an order book before it opens: for others to judge."""
    delisted = '[{"symbol":"DAIUSDT","lastPrice":"0.00000000","bidPrice":"0.00000000","askPrice":"0.00000000"}]'
    [dai] = READ["binance"](delisted).records
    assert (dai.bid, dai.ask, dai.last) == (0.0, 0.0, 0.0)
    cancel_only = (
        '{"error":[],"result":{"RHEAUSD":{"a":["0.034","1","1"],"b":["0.00447","1","1"],"c":["0.000000000","0"],'
        '"v":["0.0","0.0"],"t":[0,0]}}}'
    )
    [rhea] = READ["kraken"](cancel_only).records
    assert (rhea.bid, rhea.ask, rhea.last, rhea.volume) == (0.00447, 0.034, 0.0, 0.0)
    [crossed] = READ["okx"](okx(row(bidPx="2", askPx="1"))).records
    assert (crossed.bid, crossed.ask) == (2.0, 1.0)
    zeros = '{"A-USD":{"stats_24hour":{"last":"0","volume":"0"}},"B-USD":{},"C-USD":{"stats_24hour":{"last":"7"}}}'
    found = READ["coinbase"](zeros)
    assert [(one.market, one.last) for one in found.records] == [("A-USD", 0.0), ("C-USD", 7.0)]
    [refusal] = found.refusals
    assert (refusal.reason, refusal.records) == ("it has no price", 1)
    assert "B-USD" in refusal.text


def test_two_names_that_look_alike_are_two() -> None:
    """AIO and AIOZ against USD: where X and Z are stripped from names, both are one."""
    text = '{"error":[],"result":{"AIOUSD":{"c":["1.0","1"]},"AIOZUSD":{"c":["0.5","1"]}}}'
    assert {one.market: one.last for one in READ["kraken"](text).records} == {"AIOUSD": 1.0, "AIOZUSD": 0.5}


@pytest.mark.parametrize(
    ("value", "last"),
    [("1.50", 1.5), (1.5, 1.5), (2, 2.0), ("1e-7", 1e-7), ("5E+2", 500.0), ("3.", 3.0), ("0", 0.0), ("", None)],
)
def test_a_number_is_one_as_text_and_as_a_number(value: Any, last: float | None) -> None:
    """Some vendors send both, and text in which nothing is set."""
    found = READ["okx"](okx(row(last=value)))
    assert (found.records[0].last, reasons(found)) == (last, [])


@pytest.mark.parametrize(
    "value",
    ["n/a", "1,234.5", " 1", "1_000", "0x10", "NaN", "Infinity", "1e999", "-1", -1, True, [1], {"a": 1}, "1.2.3", "१"],
)
def test_what_is_no_price_is_refused_with_a_reason_and_the_rest_stays(value: Any) -> None:
    found = READ["okx"](okx(row(last=value), row("ETH-USDT")))
    bitcoin, ether = found.records
    assert (bitcoin.last, bitcoin.bid, bitcoin.ask) == (None, 1.0, 2.0)
    assert ether.last == 1.5
    [refusal] = found.refusals
    assert refusal.reason.startswith("last: ") and refusal.records == 1
    assert "BTC-USDT" in refusal.text


@pytest.mark.parametrize("value", ["soon", "-1", 0, 1.5, 10**15, "2026-07-27T09:52:18Z", True])
def test_what_is_no_time_costs_the_time_alone(value: Any) -> None:
    found = READ["okx"](okx(row(ts=value)))
    [ticker] = found.records
    assert (ticker.source_time, ticker.time_kind, ticker.last) == (None, "none", 1.5)
    assert reasons(found)[0].startswith("ts: ")


@pytest.mark.parametrize("market", [None, "", 7, "A" * 65, ["BTC"]])
def test_what_has_no_name_is_refused(market: Any) -> None:
    found = READ["okx"](okx(row(market), row("ETH-USDT")))
    assert [one.market for one in found.records] == ["ETH-USDT"]
    assert len(found.refusals) == 1


@pytest.mark.parametrize("entry", [None, 1, "text", [], [1, 2]])
def test_what_is_no_row_is_refused(entry: Any) -> None:
    found = READ["okx"](okx(row(), entry))
    assert [one.market for one in found.records] == ["BTC-USDT"]
    assert len(found.refusals) == 1


def test_a_market_with_two_rows_has_no_price_unless_they_are_the_same() -> None:
    found = READ["okx"](okx(row("A-USDT"), row("A-USDT", last="7"), row("B-USDT"), row("B-USDT"), row("C-USDT")))
    assert [one.market for one in found.records] == ["B-USDT", "C-USDT"]
    assert reasons(found) == ["market: has two rows that differ"]
    third = READ["okx"](okx(row("A-USDT"), row("A-USDT", last="7"), row("A-USDT"), row("B-USDT")))
    assert [one.market for one in third.records] == ["B-USDT"]


def test_text_that_no_parser_takes_costs_its_row_or_value_alone() -> None:
    listed = okx(row("A-USDT", note="x"), row("B-USDT")).replace('"x"', '"Rocket \\ud83d"')
    assert [one.market for one in READ["okx"](listed).records] == ["A-USDT", "B-USDT"]
    price = okx(row("A-USDT", last="x"), row("B-USDT")).replace('"x"', '"\\ud83d"')
    found = READ["okx"](price)
    assert [(one.market, one.last) for one in found.records] == [("A-USDT", None), ("B-USDT", 1.5)]
    keyed = '{"error":[],"result":{"AUSD":{"c":["\\ud83d","1"]},"B\\ud83d":{"c":["2"]},"CUSD":{"c":["3","1"]}}}'
    kraken = READ["kraken"](keyed)
    assert {one.market: one.last for one in kraken.records} == {"CUSD": 3.0}
    assert kraken.refusals


def test_bitstamps_contracts_are_no_markets_and_no_mistakes() -> None:
    rows = [
        {"pair": "BTC/USD", "last": "1", "timestamp": "1785145936", "market_type": "SPOT"},
        {"pair": "BTC/USD-PERP", "last": "2", "timestamp": "1785145936", "market_type": "PERPETUAL"},
        {"pair": "ETH/USD", "last": "3", "timestamp": "1785145936"},
    ]
    found = READ["bitstamp"](json.dumps(rows))
    assert ([one.market for one in found.records], list(found.refusals)) == (["BTC/USD", "ETH/USD"], [])


def test_kucoins_renamed_market_has_its_new_name() -> None:
    rows = [{"symbol": "OLD-USDT", "symbolName": "NEW-USDT", "last": "1"}, {"symbol": "BTC-USDT", "last": "2"}]
    found = READ["kucoin_spot"](json.dumps({"code": "200000", "data": {"time": 1785143386586, "ticker": rows}}))
    assert [one.market for one in found.records] == ["NEW-USDT", "BTC-USDT"]
    bad = READ["kucoin_spot"](json.dumps({"code": "200000", "data": {"time": "later", "ticker": rows}}))
    assert [one.time_kind for one in bad.records] == ["none", "none"]


def test_kraken_warns_and_prices_all_the_same() -> None:
    text = '{"error":["WGeneral:Deprecated"],"result":{"XXBTZUSD":{"c":["1","1"]}}}'
    assert len(READ["kraken"](text).records) == 1


# Of what rows have, under the names that vendors have for it, and under others.
NAMES = (
    "instId symbol symbolName pair last bidPx ask bid1Price lastPrice usd a b c v stats_24hour volume ts timestamp time"
)
names = st.sampled_from(NAMES.split()) | st.text(max_size=3)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from(["", "1.5", "BTC", "-"])
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)


@pytest.mark.parametrize("source", SOURCES)
@given(value=json_values)
def test_any_document_is_tickers_or_a_named_error(source: str, value: Any) -> None:
    envelopes = {
        "kraken": {"error": [], "result": {"XXBTZUSD": value}},
        "coinbase": {"BTC-USD": value},
        "bitstamp": [value],
        "okx": {"code": "0", "data": [value]},
        "binance": [value],
        "kucoin_spot": {"code": "200000", "data": {"time": value, "ticker": [value]}},
        "bybit": {"retCode": 0, "result": {"list": [value]}, "time": value},
        "coingecko": {"bitcoin": value},
    }
    for document in (value, envelopes[source]):
        with suppress(NoTickersError):
            assert READ[source](json.dumps(document)).records


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("fault", sorted(LIES - {"empty"}))
def test_a_lie_comes_through_as_it_was_sent(start_simulator: StartSimulator, source: str, fault: str) -> None:
    """A client judges no price: it reads what a consensus has to judge."""
    simulator, server = start_simulator(profile=lambda _: Fault(fault), **{f"{source}_markets": 20})
    wanted = ["bitcoin", "ethereum"] if source == "coingecko" else []
    found = by_market(call(source, simulator.address_of(source, server), wanted))
    assert len(found) >= (1 if wanted else 15)
    price = Market(1).usd_per("BTC", NOON.timestamp() / 60)
    bitcoin = found.get(BITCOIN[source])
    in_rows, only_last = (
        source not in ("kraken", "coinbase", "coingecko", "binance"),
        source in ("coinbase", "coingecko"),
    )
    gone = (
        fault in ("missing", "renamed", "text") or (fault == "twice" and in_rows) or (fault == "preopen" and only_last)
    )
    assert (bitcoin is None) == gone
    if bitcoin is None:
        return
    if fault == "preopen":
        assert bitcoin.last is None and bitcoin.bid is not None and bitcoin.ask is not None
        assert bitcoin.bid > 1.01 * bitcoin.ask
        return
    assert bitcoin.last is not None
    off = abs(bitcoin.last / price - 1)
    if fault in ("zeros", "dead_last", "cancel_only"):
        assert bitcoin.last == 0.0
    elif fault == "crossed":
        assert off < 2e-3 and (bitcoin.bid is None or bitcoin.ask is None or bitcoin.bid > bitcoin.ask)
    else:
        at_least = {
            "jump": 0.49,
            "mixed": 0.5,
            "twice": 0.5,
            "drift": 0.1,
            "stale_last": 0.02,
            "quiet": 0.02,
            "lag": 0.0,
            "stuck": 0.0,
            "yesterday": 1e-4,
            "depeg": 0.02 if source in IN_USDT else 0.0,
        }
        assert off > at_least[fault]


def test_a_price_that_is_stuck_stands_still_while_others_move() -> None:
    books = Books(Market(1), "kraken", 20, "USD", tether=True)
    later = NOON.replace(minute=30)
    assert lie(books, later, "stuck") == lie(books, NOON, "none")
    assert lie(books, later, "none") != lie(books, NOON, "none")
