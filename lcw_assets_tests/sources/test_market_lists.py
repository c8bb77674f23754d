"""The lists of markets: what is whose coin in which currency, as vendors say it, and never found in letters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.instruments.instruments import Instrument, Instruments
from lcw_assets.instruments.known import MARKETS, NAMES
from lcw_assets.instruments.names import Market, Unmapped
from lcw_assets.simulator.faults import Fault
from lcw_assets.sources.client import NotTheSourceError
from lcw_assets.sources.gateway import BlockedError
from lcw_assets.sources.markets import ListedMarket, Markets
from lcw_assets.sources.ticker_client import BanError, CountryError
from lcw_assets.sources.tickers import NoTickersError
from lcw_assets.transport.errors import CallError, PermanentError, TransientError
from lcw_assets_tests.conftest import NOON, StartSimulator, recorded_folder
from lcw_assets_tests.servers import raw_server, reply
from lcw_assets_tests.sources.prices import BITCOIN, SOURCES, client_of, served
from lcw_assets_tests.transport.test_client import Kept

READ: dict[str, Any] = {name: source.client_class().read_markets for name, source in SOURCES.items()}


def body(source: str, *rows: Any) -> str:
    """A source's list with these rows; Kraken's are an object by `key`."""
    envelopes: Mapping[str, Any] = {
        "kraken": {"error": [], "result": {row["key"]: row for row in rows} if source == "kraken" else {}},
        "okx": {"code": "0", "msg": "", "data": rows},
        "binance": {"timezone": "UTC", "symbols": rows},
        "kucoin_spot": {"code": "200000", "data": rows},
        "bybit": {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": rows, "nextPageCursor": ""}},
    }
    return json.dumps(envelopes.get(source, rows))


# A row as each vendor documents it, and what it says.
ROWS: Mapping[str, tuple[dict[str, Any], ListedMarket]] = {
    "kraken": (
        {"key": "XXBTZUSD", "altname": "XBTUSD", "wsname": "XBT/USD", "aclass_base": "currency", "base": "XXBT",
         "aclass_quote": "currency", "quote": "ZUSD", "fees": [[0, 0.4]], "status": "online"},
        ListedMarket("XXBTZUSD", "XBT", "USD", "XBTUSD"),
    ),
    "coinbase": (
        {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "quote_increment": "0.01",
         "post_only": False, "limit_only": False, "cancel_only": False, "status": "online", "status_message": "",
         "trading_disabled": False, "auction_mode": False},
        ListedMarket("BTC-USD", "BTC", "USD"),
    ),
    "bitstamp": (
        {"name": "BTC/USD", "market_symbol": "btcusd", "base_currency": "BTC", "base_decimals": 8,
         "counter_currency": "USD", "trading": "Enabled", "market_type": "SPOT"},
        ListedMarket("BTC/USD", "BTC", "USD", "btcusd"),
    ),
    "okx": (
        {"instId": "BTC-USDT", "instType": "SPOT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live", "uly": ""},
        ListedMarket("BTC-USDT", "BTC", "USDT"),
    ),
    "binance": (
        {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": [{}]},
        ListedMarket("BTCUSDT", "BTC", "USDT"),
    ),
    "kucoin_spot": (
        {"symbol": "BTC-USDT", "name": "BTC-USDT", "baseCurrency": "BTC", "quoteCurrency": "USDT", "market": "USDS",
         "enableTrading": True},
        ListedMarket("BTC-USDT", "BTC", "USDT"),
    ),
    "bybit": (
        {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "innovation": "0", "status": "Trading"},
        ListedMarket("BTCUSDT", "BTC", "USDT"),
    ),
    "coingecko": ({"id": "bitcoin", "symbol": "btc", "name": "Bitcoin"}, ListedMarket("bitcoin", "bitcoin", "usd")),
}  # fmt: skip


def one(source: str, **changed: Any) -> ListedMarket:
    found: Markets = READ[source](body(source, {**ROWS[source][0], **changed}))
    [market] = found.records
    return market


@pytest.mark.parametrize("source", SOURCES)
def test_a_documented_row_is_a_market_whose_names_are_the_known_ones(source: str) -> None:
    row, expected = ROWS[source]
    found = READ[source](body(source, row))
    assert (found.records, found.refusals) == ([expected], [])
    [known] = [market for market in MARKETS if (market.venue, market.symbol) == (source, BITCOIN[source])]
    market = Market(source, expected.symbol, expected.base, expected.quote, expected.request)
    assert (market.base, market.quote, market.request or market.symbol) == (
        known.base,
        known.quote,
        known.request or known.symbol,
    )


@pytest.mark.parametrize(
    ("source", "changed", "status"),
    [
        ("kraken", {"status": "cancel_only"}, "cancel_only"),
        ("kraken", {"status": "work_in_progress"}, "work_in_progress"),
        ("coinbase", {"status": "offline"}, "offline"),
        ("coinbase", {"status": "delisted", "trading_disabled": True}, "delisted"),
        ("coinbase", {"trading_disabled": True}, "trading_disabled"),
        ("coinbase", {"cancel_only": True}, "cancel_only"),
        ("coinbase", {"post_only": True}, "post_only"),
        ("coinbase", {"auction_mode": True}, "auction_mode"),
        ("coinbase", {"limit_only": True}, "trading"),
        ("bitstamp", {"trading": "Disabled"}, "disabled"),
        ("okx", {"state": "preopen"}, "preopen"),
        ("okx", {"state": "suspend"}, "suspend"),
        ("binance", {"status": "BREAK"}, "break"),
        ("kucoin_spot", {"enableTrading": False}, "disabled"),
        ("bybit", {"status": "PreLaunch"}, "prelaunch"),
    ],
)
def test_a_market_that_does_not_trade_says_so_in_the_vendors_word(
    source: str, changed: dict[str, Any], status: str
) -> None:
    assert one(source, **changed).status == status


def test_what_is_not_bought_itself_has_another_kind() -> None:
    assert one("bitstamp", name="BTC/USD-PERP", market_type="PERPETUAL").kind == "perpetual"
    assert one("kraken", key="AAPLxUSD", aclass_base="tokenized_asset").kind == "tokenized_asset"
    assert one("okx", instType="SWAP").kind == "swap"


def test_krakens_names_come_from_its_list_and_not_from_letters() -> None:
    rows = [
        {**ROWS["kraken"][0], "key": key, "altname": key, "wsname": wsname, "base": base, "quote": "ZUSD"}
        for key, wsname, base in (("AIOUSD", "AIO/USD", "AIO"), ("AIOZUSD", "AIOZ/USD", "AIOZ"))
    ]
    assert [market.base for market in READ["kraken"](body("kraken", *rows)).records] == ["AIO", "AIOZ"]
    for wsname in (None, "", "XBTUSD", "/USD", "XBT/"):
        assert (one("kraken", wsname=wsname).base, one("kraken", wsname=wsname).quote) == ("XXBT", "ZUSD")


def test_a_renamed_market_has_its_new_name_and_its_old_symbol_in_requests() -> None:
    found = one("kucoin_spot", symbol="BCHSV-USDT", name="BSV-USDT", baseCurrency="BCHSV")
    assert found == ListedMarket("BSV-USDT", "BCHSV", "USDT", "BCHSV-USDT")


def test_recorded_aliases_are_the_same_book() -> None:
    """Recorded at Coinbase's other API, whose fields of an alias these are."""
    recorded = json.loads(
        (recorded_folder("sources") / "coinbase_advanced/market_products_BTC_2026-04-07.json").read_text()
    )
    names = {"product_id": "id", "base_currency_id": "base_currency", "quote_currency_id": "quote_currency"}
    rows = [{names.get(name, name): value for name, value in row.items()} for row in recorded["products"]]
    expected = [ListedMarket("BTC-USD", "BTC", "USD"), ListedMarket("BTC-USDC", "BTC", "USDC", same_book="BTC-USD")]
    assert READ["coinbase"](json.dumps(rows)).records == expected
    for row in rows:
        row["alias"] = ""
    assert READ["coinbase"](json.dumps(rows)).records == expected, "the other side says it as well"
    for row in rows:
        row["alias"], row["alias_to"] = row["id"], [row["id"]]
    assert [market.same_book for market in READ["coinbase"](json.dumps(rows)).records] == [None, None]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("wrong", [None, "", 7, "A" * 65, ["BTC"], True])
def test_a_row_without_a_name_is_refused_with_a_reason_and_loses_no_other(source: str, wrong: Any) -> None:
    row, expected = ROWS[source]
    for name in {"base", "baseCoin", "baseAsset", "baseCcy", "baseCurrency", "base_currency", "id"} & row.keys():
        broken = {**row, name: wrong, **({"key": "BAD"} if source == "kraken" else {})}
        found = READ[source](body(source, broken, row))
        assert list(found.records) == [expected]
        [refusal] = found.refusals
        assert refusal.reason.startswith(f"{name}: ") and refusal.text


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("coinbase", {"alias": 7}),  # else its book would count twice
        ("coinbase", {"alias_to": "BTC-USDC"}),
        ("coinbase", {"cancel_only": "yes"}),  # else it would trade
        ("kraken", {"status": None}),
        ("bitstamp", {"market_type": None}),  # else a perpetual is a spot market
        ("kucoin_spot", {"enableTrading": "true"}),
        ("okx", {"state": 1}),
    ],
)
def test_a_row_is_whole_or_refused(source: str, changed: dict[str, Any]) -> None:
    row, expected = ROWS[source]
    broken = {**row, **changed, **({"key": "BAD"} if source == "kraken" else {})}
    found = READ[source](body(source, broken, row))
    assert (list(found.records), len(found.refusals)) == ([expected], 1)
    with pytest.raises(NoTickersError, match="none of its markets can be read"):
        READ[source](body(source, broken))


def test_text_that_nobody_can_parse_costs_its_row_only_where_it_is_needed() -> None:
    text = body("okx", {**ROWS["okx"][0], "uly": "x"}, {**ROWS["okx"][0], "instId": "ETH-USDT", "baseCcy": "y"})
    found = READ["okx"](text.replace('"x"', '"\\ud83d"').replace('"y"', '"\\ud83d"'))
    assert [market.symbol for market in found.records] == ["BTC-USDT"]
    assert len(found.refusals) == 2


def test_a_symbol_with_two_meanings_keeps_both_so_that_it_has_no_price() -> None:
    row, expected = ROWS["okx"]
    found = READ["okx"](body("okx", row, {**row, "baseCcy": "ETH"}, row))
    assert [market.base for market in found.records] == ["BTC", "ETH"]
    listed = [Market("okx", market.symbol, market.base, market.quote) for market in found.records]
    meant = Instruments(NAMES, listed, NOON).instrument("okx", expected.symbol)
    assert isinstance(meant, Unmapped) and meant.code == "two_markets"


def test_a_page_of_a_list_is_not_taken_for_the_list() -> None:
    text = body("bybit", ROWS["bybit"][0]).replace('"nextPageCursor": ""', '"nextPageCursor": "page2"')
    with pytest.raises(NoTickersError, match="it is a page of a list"):
        READ["bybit"](text)


FIELDS = sorted({name for row, _ in ROWS.values() for name in row} | {"alias", "alias_to"})
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.sampled_from(["", "BTC", "online"])
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=12,
)


@pytest.mark.parametrize("source", SOURCES)
@given(value=json_values, changed=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=2))
def test_any_document_is_markets_or_a_named_error_and_what_it_says_is_a_market(
    source: str, value: Any, changed: dict[str, Any]
) -> None:
    row, expected = ROWS[source]
    damaged = {**row, **changed, "key": "OTHER"}
    for text in (json.dumps(value), body(source, {**value, "key": "ANY"} if isinstance(value, dict) else damaged)):
        with suppress(NoTickersError):
            for market in READ[source](text).records:
                Market(source, *(getattr(market, name) for name in ("symbol", "base", "quote", "request")))
                assert market.kind and market.status and market.same_book != market.symbol
    assert expected in READ[source](body(source, damaged, row)).records, "a damaged row loses no other"


def listed(source: str, address: str, sink: Kept | None = None, **options: Any) -> Markets:
    return client_of(source, address, sink, **options).markets()


@pytest.mark.parametrize("source", SOURCES)
def test_one_call_gets_the_list_and_every_price_is_of_a_market_on_it(
    start_simulator: StartSimulator, source: str
) -> None:
    simulator, server = start_simulator()
    sink = Kept()
    client = client_of(source, simulator.address_of(source, server), sink)
    found = client.markets()
    assert (len(found.records) > 280, found.refusals) == (True, [])
    [entry], [response] = served(simulator), sink.responses
    assert (entry.good, response.endpoint, response.request) == (True, client.list_endpoint, client.list_request)
    wanted = ["bitcoin", "solana", "tether"] if source == "coingecko" else []
    markets = [Market(source, *(getattr(one, name) for name in ListedMarket.__slots__)) for one in found.records]
    spot = {market.symbol: market for market in markets if market.kind == "spot"}
    priced = {ticker.market for ticker in client.tickers(wanted).records}
    assert priced - spot.keys() == ({"DAIUSDT"} if source == "binance" else set()), "but for one that was delisted"
    instruments = Instruments(NAMES, markets, NOON)
    for known in (market for market in MARKETS if market.venue == source):
        meant = instruments.instrument(source, known.symbol)
        same = Instruments(NAMES, MARKETS, NOON).instrument(source, known.symbol)
        if isinstance(same, Instrument):
            assert isinstance(meant, Instrument) and (meant.coin, meant.currency) == (same.coin, same.currency)
            assert (meant.market.request or known.symbol) == (same.market.request or known.symbol)
        else:
            assert isinstance(meant, Unmapped) and meant.code == "same_book"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Fault("ban"), (BanError, BlockedError)),
        (Fault("country"), (CountryError,)),
        (Fault("busy"), (TransientError,)),
        (Fault("empty"), (TransientError,)),
        (Fault("error", status=429), (TransientError,)),
        (Fault("error", status=500), (TransientError,)),
        (Fault("truncated"), (TransientError,)),
    ],
    ids=lambda value: f"{value.kind}{value.status}" if isinstance(value, Fault) else "",
)
def test_errors_in_place_of_a_list_are_the_same_as_in_place_of_prices(
    start_simulator: StartSimulator, source: str, fault: Fault, kinds: tuple[type[CallError], ...]
) -> None:
    simulator, server = start_simulator(profile=lambda _: fault)
    sink = Kept()
    with pytest.raises(kinds) as raised:
        listed(source, simulator.address_of(source, server), sink)
    assert not isinstance(raised.value, BanError | CountryError) or fault.kind in ("ban", "country")
    assert len(served(simulator)) == 1 and not sink.responses
    if fault.kind == "empty":
        assert "sent no markets: it has no markets" in raised.value.reason


def test_a_list_that_is_refused_is_not_requested_again_and_not_as_prices() -> None:
    sink = Kept()
    with raw_server(reply("400 X", b'{"code":-1121,"msg":"Invalid symbol."}')) as address:
        with pytest.raises(PermanentError) as raised:
            listed("binance", address, sink)
    assert (raised.value.outcome, len(sink.attempts)) == ("unknown_code", 1)


@pytest.mark.parametrize("source", SOURCES)
def test_in_live_mode_the_list_of_a_simulator_is_refused(start_simulator: StartSimulator, source: str) -> None:
    simulator, server = start_simulator()
    with pytest.raises(NotTheSourceError, match="is a simulator"):
        listed(source, simulator.address_of(source, server), simulated=False)


def test_a_list_may_be_larger_than_prices_are() -> None:
    rows = [{"id": f"coin-{place}", "symbol": "x", "name": "A coin " * 20} for place in range(6_000)]
    text = body("coingecko", *rows)
    assert len(text) > SOURCES["coingecko"].largest_body
    with raw_server(reply("200 OK", text.encode(), "Content-Type: application/json")) as address:
        assert len(listed("coingecko", address).records) == 6_000
    with raw_server(reply("200 OK", text.encode(), "Content-Type: application/json")) as address:
        with pytest.raises(PermanentError, match="over 1,000,000 bytes"):
            client_of("coingecko", address).tickers()
    sizes = {
        name: client_of(name, "http://127.0.0.1:9").largest_body(source.client_class().list_endpoint, {})
        for name, source in SOURCES.items()
    }
    assert sizes["binance"] == 40_000_000 and sizes["okx"] == SOURCES["okx"].largest_body


def test_binances_list_leaves_out_what_makes_it_large(start_simulator: StartSimulator) -> None:
    request = SOURCES["binance"].client_class().list_request
    assert urlencode(request) == "permissions=SPOT&symbolStatus=TRADING&showPermissionSets=false"
    simulator, server = start_simulator()
    small, whole = Kept(), Kept()
    client_of("binance", simulator.address_of("binance", server), small).markets()
    client = client_of("binance", simulator.address_of("binance", server), whole)
    found = client.fetch(client.list_endpoint, {})
    assert 3 * len(small.responses[0].text) < len(whole.responses[0].text)
    assert {market.symbol: market.status for market in found.records}["HALTEDUSDT"] == "break"


@pytest.mark.parametrize("source", SOURCES)
def test_the_stored_list_is_read_as_it_was_when_it_came(start_simulator: StartSimulator, source: str) -> None:
    simulator, server = start_simulator()
    sink = Kept()
    came = listed(source, simulator.address_of(source, server), sink)
    before = READ[source].cache_info().hits
    assert READ[source](json.loads(json.dumps(sink.responses[0].text))) == came
    assert READ[source].cache_info().hits == before + 1
    assert isinstance(sink.responses[0].received_at, datetime)
