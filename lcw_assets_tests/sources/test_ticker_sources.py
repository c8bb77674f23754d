"""Each source of prices: what was really recorded, and what its simulator sends."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from lcw_assets.simulator.faults import Fault
from lcw_assets.simulator.market import Market
from lcw_assets.sources.client import NotTheSourceError
from lcw_assets.sources.tickers import Ticker, TimeKind
from lcw_assets.transport.errors import CallError
from lcw_assets_tests.conftest import NOON, StartSimulator, recorded_folder
from lcw_assets_tests.sources.prices import (
    BITCOIN,
    IN_USDT,
    SOURCES,
    TETHER,
    by_market,
    call,
    client_of,
    refused,
    sent,
    served,
)
from lcw_assets_tests.transport.test_client import Kept

MINUTE = NOON.timestamp() / 60


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


SNAPSHOT: TimeKind = "snapshot"
ANSWER: TimeKind = "answer"

# source, folder and file, and all that is in it.
RECORDED = [
    ("kraken", "kraken/ticker_many_2026-07-27", [
        Ticker("NEARUSD", 1.8458, 1.8464, 1.8455, None, None, "none"),
        Ticker("XXBTZUSD", 65231.9, 65232.0, 65231.8, None, None, "none"),
        Ticker("XETHZUSD", 1965.4, 1965.6, 1965.4, None, None, "none"),
        Ticker("USDTZUSD", 0.999, 0.9991, 0.99908, None, None, "none"),
        Ticker("XDGUSD", 0.07263, 0.07264, 0.0726379, None, None, "none"),
        Ticker("WBTCUSD", 64950.0, 64970.0, 64962.3, None, None, "none"),
    ]),
    ("kraken", "kraken/ticker_full_fields_XBTUSDT_2025", [
        Ticker("XBTUSDT", 105944.2, 105944.3, 105899.4, 163.28908096, None, "none"),
    ]),
    ("coinbase", "coinbase_exchange/products_stats_2026-07-27", [
        Ticker("NEAR-USD", None, None, 1.847, 2183324.5, None, "none"),
        Ticker("BTC-USD", None, None, 65237.0, 9000.1, None, "none"),
        Ticker("AURORA-USD", None, None, 0.0178, 100.0, None, "none"),
    ]),
    ("bitstamp", "bitstamp/ticker_all_2026-07-27", [
        Ticker("NEAR/USD", 1.84541, 1.84797, 1.84115, 57747.186, moment("2026-07-27T09:52:16"), ANSWER),
        Ticker("BTC/USD", 65236.0, 65237.0, 65236.6, 100.0, moment("2026-07-27T09:52:17"), ANSWER),
        Ticker("USDC/USD", 0.9999, 0.99992, 0.99991, 1000.0, moment("2026-07-27T09:52:17"), ANSWER),
    ]),
    ("okx", "okx/tickers_spot_2026-07-27", [
        Ticker("NEAR-USDT", 1.848, 1.849, 1.848, 1398101.93602604, moment("2026-07-27T09:52:18.266"), SNAPSHOT),
        Ticker("USDT-USD", 0.9989, 0.9991, 0.999, None, moment("2026-07-27T09:52:18.265"), SNAPSHOT),
        Ticker("BTC-USDT", 65304.0, 65305.0, 65304.0, None, moment("2026-07-27T09:52:18.264"), SNAPSHOT),
    ]),
    ("kucoin_spot", "kucoin/market_allTickers_2026-07-27", [
        Ticker("ETH-USDT", 1958.49, 1958.5, 1958.5, None, moment("2026-07-27T09:09:46.586"), SNAPSHOT),
        Ticker("NEAR-USDT", 1.8376, 1.8378, 1.8377, None, moment("2026-07-27T09:09:46.586"), SNAPSHOT),
    ]),
    ("bybit", "bybit/tickers_spot_2023-01-16", [
        Ticker("BTCUSDT", 20517.96, 20527.77, 20533.13, 11801.27771, moment("2023-01-16T08:51:27.947"), ANSWER),
    ]),
    ("binance", "binance/ticker_24hr_pairs_2020-03-04", [
        Ticker("ETHBTC", 0.025641, 0.025643, 0.025642, 160929.508, moment("2020-03-04T09:04:58.907"), SNAPSHOT),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "file", "expected"), RECORDED, ids=[file for _, file, _ in RECORDED])
def test_what_was_recorded_is_read_whole(source: str, file: str, expected: list[Ticker]) -> None:
    found = sent(source, (recorded_folder("sources") / f"{file}.json").read_text())
    assert list(found.records) == expected
    assert list(found.refusals) == []


def test_a_row_of_binance_that_was_recorded_alone_is_read_in_a_list() -> None:
    row = (recorded_folder("sources") / "binance/ticker_24hr_ETHBTC_2025-06-29.json").read_text()
    [ticker] = sent("binance", f"[{row}]").records
    assert (ticker.market, ticker.bid, ticker.ask, ticker.last) == ("ETHBTC", 0.02264, 0.02265, 0.02264)
    assert ticker.source_time == moment("2025-06-29T13:52:36.313")


@pytest.mark.parametrize(
    ("source", "file", "status", "outcome", "says"),
    [
        ("kraken", "kraken/error_unknown_pair_http200", "200 OK", "unknown_code", "EQuery:Unknown asset pair"),
        ("okx", "okx/error_rate_limit_body", "200 OK", "rate_limited", "too many requests (50011 rate limit)"),
        ("okx", "okx/error_rate_limit_body", "429 X", "rate_limited", "too many requests (50011 rate limit)"),
        ("bybit", "bybit/error_timestamp_10002_http200", "200 OK", "rejected", "Bybit refuses: 10002 invalid request"),
        ("binance", "binance/error_invalid_symbol", "400 X", "unknown_code", "no such market: -1121 Invalid symbol."),
        ("binance", "binance/error_too_many_requests", "429 X", "rate_limited", "(-1003 Too many requests)"),
        ("binance", "binance/error_too_many_requests", "418 X", "banned", "Binance has banned this address"),
        ("kucoin_spot", "kucoin/uta_market_ticker_2025-11-02", "200 OK", "broken_body", "data.ticker is no list"),
        ("coinbase", "coinbase_exchange/product_ticker_NEAR-USD_2026-07-27", "200 OK", "broken_body", "no price"),
    ],
)
def test_recorded_errors_and_bodies_of_other_endpoints_are_named(
    source: str, file: str, status: str, outcome: str, says: str
) -> None:
    error = refused(source, (recorded_folder("sources") / f"{file}.json").read_text(), status)
    assert error.outcome == outcome
    assert says in error.reason


@pytest.mark.parametrize("source", SOURCES)
def test_one_call_gets_every_market_at_the_prices_of_the_hidden_market(
    start_simulator: StartSimulator, source: str
) -> None:
    simulator, server = start_simulator()
    sink, markets = Kept(), ["bitcoin", "tether", "solana"] if source == "coingecko" else []
    found = call(source, simulator.address_of(source, server), markets, sink)
    assert not [refusal.reason for refusal in found.refusals]
    assert len(found.records) > (2 if markets else 280)
    [entry], [attempt] = served(simulator), sink.attempts
    assert (entry.provider, entry.good, attempt.outcome) == (source, True, "ok")
    market, tickers = Market(1), by_market(found)
    tether = market.usd_per("USDT", MINUTE)
    bitcoin = tickers[BITCOIN[source]]
    rate = tether if source in IN_USDT else 1.0
    assert bitcoin.last is not None and bitcoin.last * rate == pytest.approx(market.usd_per("BTC", MINUTE), rel=3e-4)
    if source in TETHER:
        assert tickers[TETHER[source]].last == pytest.approx(tether, rel=3e-4)
    if bitcoin.bid is not None and bitcoin.ask is not None:
        assert bitcoin.bid < bitcoin.last < bitcoin.ask < bitcoin.bid * 1.0002
    assert (bitcoin.bid is None) == (source in ("coinbase", "coingecko"))
    assert (bitcoin.volume is None) == (source == "coingecko")
    assert (bitcoin.source_time is None) == (bitcoin.time_kind == "none") == (source in ("kraken", "coinbase"))
    if bitcoin.source_time:
        assert bitcoin.source_time == NOON


@pytest.mark.parametrize(
    ("source", "markets", "parameters"),
    [
        ("kraken", ["XBTUSD", "XDGUSD"], {"pair": "XBTUSD,XDGUSD"}),
        ("binance", ["BTCUSDT", "ETHUSDT"], {"symbols": '["BTCUSDT","ETHUSDT"]'}),
        ("okx", ["BTC-USDT"], {"instType": "SPOT"}),
        ("bybit", ["BTCUSDT"], {"category": "spot"}),
        ("coinbase", ["BTC-USD"], {}),
        ("bitstamp", ["BTC/USD"], {}),
        ("kucoin_spot", ["BTC-USDT"], {}),
    ],
)
def test_who_takes_names_of_markets_gets_them(source: str, markets: list[str], parameters: dict[str, str]) -> None:
    client = SOURCES[source].client_class()
    assert client.request_for(markets) == parameters
    many = client.request_for([f"C{number}USD" for number in range(101)])
    assert many == client.request_for([])  # too long an address, or no cheaper than all


@pytest.mark.parametrize(
    ("source", "asked", "keys"),
    [
        ("kraken", ["XBTUSD", "XDGUSD", "USDTUSD"], {"XXBTZUSD", "XDGUSD", "USDTZUSD"}),
        ("binance", ["SOLUSDT", "BTCUSDT"], {"BTCUSDT", "SOLUSDT"}),
        ("coingecko", ["bitcoin", "no-such-coin"], {"bitcoin"}),
    ],
)
def test_only_these_come_under_the_names_of_the_response(
    start_simulator: StartSimulator, source: str, asked: list[str], keys: set[str]
) -> None:
    simulator, server = start_simulator()
    assert set(by_market(call(source, simulator.address_of(source, server), asked))) == keys
    assert len(served(simulator)) == 1


@pytest.mark.parametrize(("source", "known"), [("kraken", "XBTUSD"), ("binance", "BTCUSDT")])
def test_one_unknown_market_does_not_lose_the_others(start_simulator: StartSimulator, source: str, known: str) -> None:
    """They refuse the whole list for it: then all markets are requested, once."""
    simulator, server = start_simulator()
    sink = Kept()
    found = by_market(call(source, simulator.address_of(source, server), [known, "LUNAUSD"], sink))
    assert BITCOIN[source] in found and len(found) > 280
    assert [attempt.outcome for attempt in sink.attempts] == ["unknown_code", "ok"]
    assert [response.request for response in sink.responses] == [{}]


def test_a_refusal_of_everything_is_not_repeated() -> None:
    sink = Kept()
    with pytest.raises(CallError) as raised:
        sent("kraken", '{"error":["EQuery:Unknown asset pair"]}', sink=sink)
    assert raised.value.outcome == "unknown_code"
    assert len(sink.attempts) == 1


@pytest.mark.parametrize("source", SOURCES)
def test_in_live_mode_a_simulator_is_refused(start_simulator: StartSimulator, source: str) -> None:
    simulator, server = start_simulator()
    with pytest.raises(NotTheSourceError, match=f"is a simulator.*{SOURCES[source].variables}_BASE_URL"):
        call(source, simulator.address_of(source, server), ["bitcoin"], simulated=False)


@pytest.mark.parametrize("source", sorted(SOURCES.keys() - {"kraken", "coinbase", "coingecko"}))
def test_a_clock_that_is_a_day_behind_shows_in_the_time(start_simulator: StartSimulator, source: str) -> None:
    simulator, server = start_simulator(profile=lambda _: Fault("clock"))
    found = by_market(call(source, simulator.address_of(source, server)))
    assert found[BITCOIN[source]].source_time == NOON - timedelta(days=1)


def test_an_address_that_is_the_wrong_one_is_named(start_simulator: StartSimulator) -> None:
    _, server = start_simulator()
    with pytest.raises(NotTheSourceError, match=r"answers with HTTP 404: is KRAKEN_BASE_URL right\?"):
        call("kraken", server)


@pytest.mark.parametrize("source", SOURCES)
def test_the_stored_response_is_read_as_it_was_when_it_came(start_simulator: StartSimulator, source: str) -> None:
    simulator, server = start_simulator()
    sink = Kept()
    client = client_of(source, simulator.address_of(source, server), sink)
    came = client.tickers(["bitcoin"] if source == "coingecko" else [])
    read = type(client).read_tickers
    hits = read.cache_info().hits  # type: ignore[attr-defined]
    assert read(json.loads(json.dumps(sink.responses[0].text)), None) == came
    assert read.cache_info().hits == hits + 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("source", sorted(SOURCES.keys() - {"coingecko"}))
def test_only_the_markets_that_are_wanted_are_read(start_simulator: StartSimulator, source: str) -> None:
    """Of a response of hundreds of kilobytes; and one that has none of them is a response all the same."""
    simulator, server = start_simulator()
    client = client_of(source, simulator.address_of(source, server), Kept())
    everything = by_market(client.tickers())
    bitcoin = BITCOIN[source]
    client.wanted = frozenset([bitcoin, "NONE"])
    assert by_market(client.tickers()) == {bitcoin: everything[bitcoin]}
    client.wanted = frozenset(["NONE"])
    assert len(client.tickers().records) == 1
