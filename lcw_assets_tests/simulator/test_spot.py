"""The simulated exchanges: one market behind them all, and the fields that real responses have."""

from __future__ import annotations

import json
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
import requests

from lcw_assets.simulator.books import DEPEG, LAG, LIES, Book, Books, lie
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.kraken import pair_of
from lcw_assets.simulator.market import Market
from lcw_assets_tests.conftest import NOON, StartSimulator, recorded_folder
from lcw_assets_tests.patience import PATIENCE_S

# Of each provider: its path, a file with a recorded response, and where its rows are.
VENUES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "kraken": ("0/public/Ticker", "kraken/ticker_full_fields_XBTUSDT_2025", ("result",)),
    "coinbase": ("products/stats", "coinbase_exchange/products_stats_2026-07-27", ()),
    "bitstamp": ("api/v2/ticker/", "bitstamp/ticker_all_2026-07-27", ()),
    "okx": ("api/v5/market/tickers?instType=SPOT", "okx/tickers_spot_2026-07-27", ("data",)),
    "binance": ("api/v3/ticker/24hr", "binance/ticker_24hr_pairs_2020-03-04", ()),
    "kucoin_spot": ("api/v1/market/allTickers", "kucoin/market_allTickers_2026-07-27", ("data", "ticker")),
    "bybit": ("v5/market/tickers?category=spot", "bybit/tickers_spot_2023-01-16", ("result", "list")),
}


def rows(document: Any, path: tuple[str, ...]) -> list[dict[str, Any]]:
    for name in path:
        document = document[name]
    return list(document.values()) if isinstance(document, dict) else document


@pytest.mark.parametrize("venue", VENUES)
def test_its_responses_have_the_fields_of_recorded_ones(start_simulator: StartSimulator, venue: str) -> None:
    simulator, server = start_simulator(**{f"{venue}_markets": 5})
    path, file, place = VENUES[venue]
    recorded = json.loads((recorded_folder("sources") / f"{file}.json").read_text())
    real = rows(recorded, place)
    document = requests.get(f"{simulator.address_of(venue, server)}/{path}", timeout=PATIENCE_S).json()
    simulated = rows(document, place)
    if isinstance(recorded, dict) and venue != "coinbase":
        assert set(recorded) <= set(document)
    kinds = {name: type(value) for row in real for name, value in row.items()}
    for row in simulated[:5]:
        assert kinds.keys() <= row.keys()
        assert {name: type(row[name]) for name in kinds} == kinds


@pytest.mark.parametrize("seed", [1, 7])
def test_all_of_them_are_one_market_also_within_a_minute(seed: int) -> None:
    """Each with an error of its own; the price that four of seven have in their middle is the true one."""
    market = Market(seed)
    for second in (0, 5, 31):
        now = NOON.replace(second=second)
        minute = now.timestamp() / 60
        for code in ("BTC", "ETH", "SOL", "DOGE"):
            found = []
            for name in VENUES:
                currency = "USD" if name in ("kraken", "coinbase", "bitstamp") else "USDT"
                books = Books(market, name, 20, currency, tether=True)
                [book] = [one for one in books.at(now) if one.ticker == code]
                middle = (float(book.bid) + float(book.ask)) / 2 * market.usd_per(currency, minute)
                assert middle == pytest.approx(market.usd_per(code, minute), rel=1e-3)
                found.append(middle)
            assert len(set(found)) == 7
            assert median(found) == pytest.approx(market.usd_per(code, minute), rel=5e-4)


def test_what_is_quoted_in_usdt_differs_by_its_price_from_what_is_quoted_in_usd() -> None:
    market = Market(1)
    moments = [NOON + timedelta(hours=hours) for hours in range(48)]
    now = max(moments, key=lambda at: abs(market.usd_per("USDT", at.timestamp() / 60) - 1))
    tether = market.usd_per("USDT", now.timestamp() / 60)
    assert abs(tether - 1) > 3e-4
    usd, usdt = ([*Books(market, "okx", 3, currency, tether=False).at(now)] for currency in ("USD", "USDT"))
    for in_usd, in_usdt in zip(usd, usdt, strict=True):
        assert float(in_usdt.last) * tether == pytest.approx(float(in_usd.last), rel=1e-5)


def test_krakens_names_are_those_that_it_really_has() -> None:
    books = {book.ticker: pair_of(book) for book in Books(Market(1), "kraken", 20, "USD", tether=True).at(NOON)}
    assert books["BTC"] == ("XBTUSD", "XXBTZUSD")
    assert books["ETH"] == ("ETHUSD", "XETHZUSD")
    assert books["XRP"] == ("XRPUSD", "XXRPZUSD")
    assert books["DOGE"] == ("XDGUSD", "XDGUSD")
    assert books["SOL"] == ("SOLUSD", "SOLUSD")
    assert books["USDT"] == ("USDTUSD", "USDTZUSD")


# Of each list: its path, where its rows are, and the names of a market, its coin and its status.
LISTS: dict[str, tuple[str, tuple[str, ...], str, str, str]] = {
    "kraken": ("0/public/AssetPairs", ("result",), "altname", "wsname", "status"),
    "coinbase": ("products", (), "id", "base_currency", "status"),
    "bitstamp": ("api/v2/markets/", (), "name", "base_currency", "trading"),
    "okx": ("api/v5/public/instruments?instType=SPOT", ("data",), "instId", "baseCcy", "state"),
    "binance": ("api/v3/exchangeInfo", ("symbols",), "symbol", "baseAsset", "status"),
    "kucoin_spot": ("api/v2/symbols", ("data",), "name", "baseCurrency", "enableTrading"),
    "bybit": ("v5/market/instruments-info?category=spot", ("result", "list"), "symbol", "baseCoin", "status"),
}


@pytest.mark.parametrize("venue", LISTS)
def test_its_list_has_what_it_prices_and_what_nobody_can_trade(start_simulator: StartSimulator, venue: str) -> None:
    simulator, server = start_simulator(**{f"{venue}_markets": 30})
    address, (path, place, name, base, status) = simulator.address_of(venue, server), LISTS[venue]
    found = rows(requests.get(f"{address}/{path}", timeout=PATIENCE_S).json(), place)
    assert len({row[name] for row in found}) == len(found) > 30
    assert len({row[status] for row in found}) > 1, "one does not trade"
    of = {row[name]: row for row in found}
    if venue == "kraken":
        assert (of["XDGUSD"][base], of["AIOUSD"][base], of["AIOZUSD"][base]) == ("XDG/USD", "AIO/USD", "AIOZ/USD")
        assert (of["RHEAUSD"][status], of["AAPLxUSD"]["aclass_base"]) == ("cancel_only", "tokenized_asset")
        assert (of["XBTUSD"]["base"], of["XBTUSD"]["quote"]) == ("XXBT", "ZUSD")
        prices = requests.get(f"{address}/0/public/Ticker", timeout=PATIENCE_S).json()["result"]
        assert {"AIOUSD", "AIOZUSD", "RHEAUSD"} <= prices.keys()
    if venue == "coinbase":
        assert (of["BTC-USDC"]["alias"], of["BTC-USD"]["alias_to"]) == ("BTC-USD", ["BTC-USDC"])
        prices = requests.get(f"{address}/products/stats", timeout=PATIENCE_S).json()
        assert prices["BTC-USDC"] == prices["BTC-USD"]
    if venue == "bitstamp":
        assert (of["BTC/USD-PERP"]["market_type"], of["BTC/USD"]["market_type"]) == ("PERPETUAL", "SPOT")
    if venue == "kucoin_spot":
        assert (of["TON-USDT"]["symbol"], of["TON-USDT"][base]) == ("TONCOIN-USDT", "TONCOIN")


def test_a_list_costs_its_weight_of_the_same_limit(start_simulator: StartSimulator) -> None:
    simulator, server = start_simulator()
    address = simulator.address_of("binance", server)
    used = [
        requests.get(f"{address}/{path}", timeout=PATIENCE_S).headers["x-mbx-used-weight-1m"]
        for path in ("api/v3/exchangeInfo", "api/v3/ticker/24hr")
    ]
    assert used == ["20", "100"]


def books_of(currency: str, *, tether: bool = True) -> Books:
    return Books(Market(1), "okx", 5, currency, tether=tether)


def by_ticker(books: list[Book]) -> dict[str, Book]:
    return {book.ticker: book for book in books}


def test_in_a_depeg_all_that_is_quoted_in_usdt_costs_more_and_only_usdt_less() -> None:
    in_usd, in_usdt = books_of("USD"), books_of("USDT")
    true, fallen = ([by_ticker([*lie(books, NOON, kind)]) for books in (in_usd, in_usdt)] for kind in ("none", "depeg"))
    for before, after in zip(true, fallen, strict=True):
        assert float(after["USDT"].bid) == pytest.approx(DEPEG * float(before["USDT"].bid), rel=1e-4)
    assert {**fallen[0], "USDT": None} == {**true[0], "USDT": None}
    for coin in ("BTC", "ETH", "XRP"):
        for price in ("bid", "ask", "last"):
            in_one, in_other = (float(getattr(books[coin], price)) for books in (true[1], fallen[1]))
            assert in_other * DEPEG == pytest.approx(in_one, rel=1e-5)


def test_a_depeg_of_the_whole_market_leaves_prices_in_usd_as_they_are(start_simulator: StartSimulator) -> None:
    """Whoever takes a USDT for a dollar is wrong by 3 %; whoever measures it is not."""
    simulator, server = start_simulator(profile=lambda _: Fault("depeg"))
    okx, kraken = (
        requests.get(f"{simulator.address_of(venue, server)}/{VENUES[venue][0]}", timeout=PATIENCE_S).json()
        for venue in ("okx", "kraken")
    )
    in_usdt = {row["instId"]: float(row["last"]) for row in okx["data"]}
    usdt = float(kraken["result"]["USDTZUSD"]["c"][0])
    true = Market(1).usd_per("BTC", NOON.timestamp() / 60)
    assert in_usdt["BTC-USDT"] > 1.02 * true
    assert in_usdt["BTC-USDT"] * usdt == pytest.approx(true, rel=1e-3)
    assert in_usdt["USDT-USD"] == pytest.approx(usdt, rel=1e-3)


def test_two_liars_on_the_dollar_are_a_profile(start_simulator: StartSimulator) -> None:
    def liars(draw: Draw) -> Fault:
        return Fault("depeg" if draw.provider in ("kraken", "bitstamp") else "none")

    simulator, server = start_simulator(profile=liars)
    said = {}
    for venue in ("kraken", "bitstamp", "coinbase"):
        address = f"{simulator.address_of(venue, server)}/{VENUES[venue][0]}"
        said[venue] = requests.get(address, timeout=PATIENCE_S).json()
    assert float(said["kraken"]["result"]["USDTZUSD"]["c"][0]) < 0.98
    assert next(float(row["last"]) for row in said["bitstamp"] if row["pair"] == "USDT/USD") < 0.98
    assert float(said["coinbase"]["USDT-USD"]["stats_24hour"]["last"]) > 0.99


def test_prices_lag_behind_under_a_time_of_now(start_simulator: StartSimulator) -> None:
    simulator, server = start_simulator(profile=lambda _: Fault("lag"))
    document = requests.get(f"{simulator.address_of('okx', server)}/{VENUES['okx'][0]}", timeout=PATIENCE_S).json()
    row = next(row for row in document["data"] if row["instId"] == "BTC-USDT")
    [then, now] = [
        by_ticker([*Books(Market(1), "okx", 300, "USDT", tether=True).at(at)])["BTC"] for at in (NOON - LAG, NOON)
    ]
    assert row["ts"] == str(int(NOON.timestamp() * 1000))
    assert (row["bidPx"], row["askPx"]) == (then.bid, then.ask) != (now.bid, now.ask)


def test_swapped_is_crossed_and_before_the_opening_it_is_so_by_far() -> None:
    true, crossed, early = (by_ticker([*lie(books_of("USDT"), NOON, kind)]) for kind in ("none", "crossed", "preopen"))
    for coin, book in true.items():
        assert (crossed[coin].bid, crossed[coin].ask) == (book.ask, book.bid)
    assert float(early["BTC"].bid) > 1.01 * float(early["BTC"].ask) and early["BTC"].last == ""
    assert early["ETH"] == true["ETH"]


def test_a_market_that_only_cancels_has_a_wide_book_and_no_trade() -> None:
    """As Kraken's RHEAUSD, which was recorded: 0.00447 to 0.034."""
    book = by_ticker([*lie(books_of("USD"), NOON, "cancel_only")])["BTC"]
    bid, ask = float(book.bid), float(book.ask)
    assert (ask - bid) / ((ask + bid) / 2) > 1.5
    assert float(book.last) == float(book.volume) == 0


def test_a_quiet_market_has_a_book_and_an_old_trade_and_no_volume() -> None:
    book = by_ticker([*lie(books_of("USD"), NOON, "quiet")])["BTC"]
    assert float(book.last) < 0.98 * float(book.bid) and float(book.volume) == 0


def test_one_name_means_two_coins() -> None:
    books = [*lie(books_of("USDT"), NOON, "twice")]
    first, second = (book for book in books if book.ticker == "BTC")
    assert float(first.last) > 10 * float(second.last)
    assert second.last == by_ticker(books)["ETH"].last


@pytest.mark.parametrize("kind", sorted(LIES))
def test_every_lie_is_another_response_than_the_truth(kind: str) -> None:
    books = books_of("USDT")
    later = NOON.replace(minute=30)
    assert [*lie(books, later, kind)] != [*lie(books, later, "none")]


@pytest.mark.parametrize("venue", VENUES)
def test_a_delisted_market_looks_as_it_does_at_that_vendor(start_simulator: StartSimulator, venue: str) -> None:
    """Binance and Coinbase have zeros for it, Kraken a book that is far apart, the others nothing."""
    simulator, server = start_simulator(profile=lambda _: Fault("delisted"), **{f"{venue}_markets": 5})
    path, _, place = VENUES[venue]
    document = requests.get(f"{simulator.address_of(venue, server)}/{path}", timeout=PATIENCE_S).json()
    text = json.dumps(document)
    if venue == "kraken":
        assert document["result"]["XXBTZUSD"]["c"][0] == "0.00000000"
        assert float(document["result"]["XXBTZUSD"]["a"][0]) > 4 * float(document["result"]["XXBTZUSD"]["b"][0]) > 0
    elif venue == "coinbase":
        assert document["BTC-USD"]["stats_24hour"]["last"] == "0.00000000"
    elif venue == "binance":
        [row] = [row for row in document if row["symbol"] == "BTCUSDT"]
        assert row["lastPrice"] == row["bidPrice"] == row["askPrice"] == "0.00000000"
    else:
        assert "BTC" not in text and "ETH" in text and rows(document, place)


@pytest.mark.parametrize(
    ("venue", "name", "last"), [("binance", "DAIUSDT", "0.00000000"), ("kraken", "RHEAUSD", "0.000000000")]
)
def test_long_dead_markets_are_in_every_list(start_simulator: StartSimulator, venue: str, name: str, last: str) -> None:
    simulator, server = start_simulator()
    address = f"{simulator.address_of(venue, server)}/{VENUES[venue][0]}"
    found = rows(requests.get(address, timeout=PATIENCE_S).json(), VENUES[venue][2])
    dead = next(row for row in found if row.get("symbol") == name or row.get("a") == ["0.03400000", "1", "1.000"])
    assert (dead["lastPrice"] if venue == "binance" else dead["c"][0]) == last


def test_a_product_without_statistics_is_an_empty_object(start_simulator: StartSimulator) -> None:
    simulator, server = start_simulator(profile=lambda _: Fault("bare"))
    address = f"{simulator.address_of('coinbase', server)}/{VENUES['coinbase'][0]}"
    document = requests.get(address, timeout=PATIENCE_S).json()
    assert 0 < sum(row == {} for row in document.values()) < len(document) / 2


def test_bitstamp_lists_contracts_among_its_spot_markets(start_simulator: StartSimulator) -> None:
    simulator, server = start_simulator()
    address = f"{simulator.address_of('bitstamp', server)}/{VENUES['bitstamp'][0]}"
    kinds = [row["market_type"] for row in requests.get(address, timeout=PATIENCE_S).json()]
    assert kinds.count("PERPETUAL") == 20 and kinds.count("SPOT") > 200


def test_bitstamp_sends_nothing_to_who_has_that_response_already(start_simulator: StartSimulator) -> None:
    now = [NOON]
    simulator, server = start_simulator(clock=lambda: now[0])
    address = f"{simulator.address_of('bitstamp', server)}/{VENUES['bitstamp'][0]}"
    first = requests.get(address, timeout=PATIENCE_S)
    assert first.headers["last-modified"] == "Fri, 20 Nov 2026 12:00:00 GMT"
    known = {"If-None-Match": first.headers["etag"]}
    again = requests.get(address, headers=known, timeout=PATIENCE_S)
    assert (again.status_code, again.content) == (304, b"")
    now[0] += timedelta(seconds=1)
    later = requests.get(address, headers=known, timeout=PATIENCE_S)
    assert later.status_code == 200 and later.content != first.content
    assert [entry.good for entry in simulator.ledger.entries] == [True, False, True]


def test_coinbase_refuses_who_does_not_say_what_it_is(start_simulator: StartSimulator) -> None:
    simulator, server = start_simulator()
    address = f"{simulator.address_of('coinbase', server)}/{VENUES['coinbase'][0]}"
    response = requests.get(address, headers={"User-Agent": ""}, timeout=PATIENCE_S)
    assert (response.status_code, response.json()) == (403, {"message": "User-Agent header is required."})


# What a vendor says of its limit, under HTTP 200.
TOO_MANY = {
    "kraken": "EGeneral:Too many requests",
    "okx": "50011",
    "kucoin_spot": "429000",
    "bybit": "10006",
    "bitstamp": "Request rate limit exceeded",
}


@pytest.mark.parametrize("venue", TOO_MANY)
def test_its_limit_comes_under_http_200_as_well(start_simulator: StartSimulator, venue: str) -> None:
    simulator, server = start_simulator(profile=lambda _: Fault("too_many"))
    response = requests.get(f"{simulator.address_of(venue, server)}/{VENUES[venue][0]}", timeout=PATIENCE_S)
    assert response.status_code == 200 and TOO_MANY[venue] in response.text
    assert [entry.good for entry in simulator.ledger.entries] == [False]


# Of each: the status, a word of the body, and a header or none. Where a row is not here, it is in test_ticker_errors.
SAID = [
    ("binance", "limit", 429, "-1003", "retry-after"),
    ("binance", "limit", 429, "-1003", "x-mbx-used-weight-1m"),
    ("binance", "ban", 418, "-1003", "retry-after"),
    ("binance", "country", 451, "restricted location", ""),
    ("coinbase", "limit", 429, "Public rate limit", ""),
    ("kraken", "limit", 200, "EAPI:Rate limit exceeded", ""),
    ("kraken", "busy", 200, "EService: Throttled: ", ""),
    ("kraken", "ban", 200, "Temporary lockout", ""),
    ("kucoin_spot", "limit", 429, "429000", "gw-ratelimit-reset"),
    ("kucoin_spot", "none", 200, "200000", "gw-ratelimit-remaining"),
    ("okx", "limit", 429, "50011", ""),
    ("okx", "busy", 200, "50013", ""),
    ("bybit", "ban", 403, "access too frequent", ""),
    ("bybit", "country", 403, "block access from your country", ""),
    ("bybit", "busy", 200, "10016", ""),
    ("bitstamp", "limit", 429, "400.002", ""),
    ("bitstamp", "busy", 200, '{"error":', ""),
]


@pytest.mark.parametrize(("venue", "kind", "status", "word", "header"), SAID)
def test_limits_and_bans_are_said_as_that_vendor_says_them(
    start_simulator: StartSimulator, venue: str, kind: str, status: int, word: str, header: str
) -> None:
    simulator, server = start_simulator(profile=lambda _: Fault(kind))
    response = requests.get(f"{simulator.address_of(venue, server)}/{VENUES[venue][0]}", timeout=PATIENCE_S)
    assert response.status_code == status and word in response.text
    assert not header or header in response.headers


def test_an_overloaded_kucoin_has_the_code_of_its_limit_without_headers_and_does_not_count(
    start_simulator: StartSimulator,
) -> None:
    faults = iter([Fault("busy"), Fault("none")])
    simulator, server = start_simulator(profile=lambda _: next(faults))
    address = f"{simulator.address_of('kucoin_spot', server)}/{VENUES['kucoin_spot'][0]}"
    busy, good = (requests.get(address, timeout=PATIENCE_S) for _ in range(2))
    assert (busy.status_code, busy.json()["code"]) == (429, "429000")
    assert not [name for name in busy.headers if name.lower().startswith("gw-")]
    assert good.headers["gw-ratelimit-remaining"] == "1985"


@pytest.mark.parametrize(("kind", "days"), [("clock", -1), ("future", 1)])
def test_a_clock_is_a_day_behind_or_ahead(start_simulator: StartSimulator, kind: str, days: int) -> None:
    simulator, server = start_simulator(profile=lambda _: Fault(kind))
    address = f"{simulator.address_of('okx', server)}/{VENUES['okx'][0]}"
    document = requests.get(address, timeout=PATIENCE_S).json()
    shown = NOON + timedelta(days=days)
    assert {row["ts"] for row in document["data"]} == {str(int(shown.timestamp() * 1000))}


@pytest.mark.parametrize("venue", [*VENUES, "coingecko"])
def test_another_path_or_method_is_its_own_error(start_simulator: StartSimulator, venue: str) -> None:
    simulator, server = start_simulator()
    address = simulator.address_of(venue, server)
    assert requests.get(f"{address}/no/such", timeout=PATIENCE_S).status_code == 404
    path = VENUES[venue][0] if venue in VENUES else "api/v3/simple/price"
    response = requests.post(f"{address}/{path}", timeout=PATIENCE_S)
    assert response.status_code == 405 and response.json()
