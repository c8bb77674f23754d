"""Bad responses on their way through HTTP, spool, parsing and tables: what they cost, and what they must not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcw_assets.simulator.live_coin_watch import LiveCoinWatch
from lcw_assets.simulator.live_coin_watch.aggregate import Aggregate
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.server import Simulator
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.defs.market.cycles import Bench

Change = Callable[[str, dict[str, Any], str], str]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "data")


@contextmanager
def changed(change: Change) -> Iterator[tuple[str, list[str]]]:
    """A server that sends what the simulator would, after `change(endpoint, request, body)`. Gives its address, and
    the endpoints that were requested so far.
    """
    asked: list[str] = []
    api = LiveCoinWatch(Market(1))  # the documents themselves, to write them otherwise

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            endpoint = self.path.strip("/")
            sent = self.rfile.read(int(self.headers["content-length"]))
            asked.append(endpoint)
            body = json.dumps(api.document(endpoint, sent, NOON))
            content = change(endpoint, json.loads(sent), body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.send_header("x-lcw-simulator", "1")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def in_page(offset: int, old: str, new: str) -> Change:
    """Write the first `old` of a page of coins as `new`."""

    def change(endpoint: str, request: dict[str, Any], body: str) -> str:
        if endpoint != "coins/list" or request["offset"] != offset:
            return body
        assert old in body
        return body.replace(old, new, 1)

    return change


# One value.


@pytest.mark.parametrize(
    "name",
    [r'"Rocket \ud83d"', "9" * 5_000, "[" * 500 + "]" * 500, "1e999"],
    ids=["lone surrogate", "5,000 digits", "nested", "infinite"],
)
def test_a_name_that_cannot_be_read_costs_that_name(bench: Bench, name: str) -> None:
    """Coin 101, the first of page 2: its price is there, its neighbours are whole, its page is not requested again."""
    with changed(in_page(100, '"name": "', f'"name": {name}, "other": "')) as (address, asked):
        bench.pull(address)
    [cycle] = bench.store().cycles
    assert asked.count("coins/list") == 3
    assert (cycle.row["status"], cycle.row["coins_seen"], cycle.row["retries"]) == ("complete", 300, 0)
    assert bench.query("SELECT rank, rate > 0 FROM market.coins WHERE name IS NULL") == [(101, True)]
    quarantined = bench.query("SELECT reason, payload FROM ops.quarantine")
    assert quarantined
    for reason, text in quarantined:
        assert reason.startswith("name")
        assert text.startswith('{"name": ' if name != "1e999" else '{"name":')
    assert bench.query("SELECT count(*) FROM raw.pulls WHERE endpoint = 'coins/list'") == [(3,)]


def test_a_price_that_cannot_be_read_is_null_and_the_cycle_partial(bench: Bench) -> None:
    with changed(in_page(100, '"rate": ', '"rate": "about ", "was": ')) as (address, _):
        bench.pull(address)
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], cycle.row["coins_seen"], cycle.row["quarantined"]) == ("partial", 300, 1)
    assert cycle.row["missing"] == ["coins/list page 2 of 3: 100 of 100 records came, 1 of them cannot be used"]
    assert bench.query("SELECT rank FROM market.coins WHERE rate IS NULL") == [(101,)]


def test_the_rank_of_a_coin_is_its_place_whatever_stands_before_it(bench: Bench) -> None:
    """Without `meta` the place tells the rank: what stands there and is no coin has one too."""

    def odd(endpoint: str, request: dict[str, Any], body: str) -> str:
        document = json.loads(body)
        return json.dumps([None, {"rate": 1}, *document[2:]]) if endpoint == "coins/list" else body

    with changed(odd) as (address, _):
        bench.pull(address, coins=100, meta=False)
    bench.store()
    third = Aggregate(Market(1)).ranked(3, 3, int(NOON.timestamp()) // 60)[0]
    assert bench.query("SELECT code, rank FROM market.coins ORDER BY rank LIMIT 1") == [(third.code, 3)]


# Pages that are not what was requested: complete means complete.


def rates_as_text(endpoint: str, _: dict[str, Any], body: str) -> str:
    if endpoint != "coins/list":
        return body
    return json.dumps([{**coin, "rate": str(coin["rate"])} for coin in json.loads(body)])


def pages_of_50(endpoint: str, _: dict[str, Any], body: str) -> str:
    return json.dumps(json.loads(body)[:50]) if endpoint == "coins/list" else body


def junk(endpoint: str, request: dict[str, Any], body: str) -> str:
    return '[null, 1, "a"]' if endpoint == "coins/list" and request["offset"] == 100 else body


@pytest.mark.parametrize(
    ("change", "missing", "coins"),
    [
        (
            rates_as_text,
            [f"coins/list page {page} of 3: 100 of 100 records came, 100 of them cannot be used" for page in (1, 2, 3)],
            300,
        ),
        (
            pages_of_50,
            [
                "coins/list page 1 of 3: 50 of 100 records came",
                "coins/list page 2 of 3: 50 of 100 records came",
                "coins/list page 3 of 3: 50 of 100 records came; if the list ends there, lower LCW_COINS",
            ],
            150,
        ),
        (junk, ["coins/list page 2 of 3: 3 of 100 records came, 3 of them cannot be used"], 200),
    ],
)
def test_a_page_with_fewer_usable_records_makes_a_cycle_partial(
    bench: Bench, change: Change, missing: list[str], coins: int
) -> None:
    with changed(change) as (address, asked):
        bench.pull(address)
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], cycle.row["missing"], cycle.row["coins_seen"]) == ("partial", missing, coins)
    assert len(asked) == 7  # nothing is requested again: it would be the same


def test_the_same_page_three_times_is_one_page(bench: Bench, start_simulator: StartSimulator) -> None:
    first: list[str] = []

    def same(endpoint: str, request: dict[str, Any], body: str) -> str:
        if endpoint != "coins/list":
            return body
        first.append(body if request["offset"] == 0 else "")
        return _first_page(request)

    with changed(same) as (address, _):
        bench.pull(address, in_flight=1)
    [cycle] = bench.store().cycles
    assert cycle.row["status"] == "partial"
    assert cycle.row["missing"] == [
        f"coins/list page {page} of 3: 100 of 100 records came, 100 of them in another page as well" for page in (2, 3)
    ]
    assert bench.query("SELECT count(*) FROM market.coins") == [(100,)]


def _first_page(request: dict[str, Any]) -> str:
    api = LiveCoinWatch(Market(1))
    return json.dumps(api.document("coins/list", json.dumps({**request, "offset": 0}).encode(), NOON))


def test_an_overview_and_credits_without_numbers_are_missing(bench: Bench) -> None:
    def odd(endpoint: str, _: dict[str, Any], body: str) -> str:
        return {"overview": '{"cap":"much","volume":1}', "credits": '{"dailyCreditsRemaining":"few"}'}.get(
            endpoint, body
        )

    with changed(odd) as (address, _):
        bench.pull(address, coins=100)
    [cycle] = bench.store().cycles
    assert cycle.row["status"] == "partial"
    assert cycle.row["missing"] == ["overview: its values cannot be used", "credits: its values cannot be used"]
    assert bench.query("SELECT cap, volume FROM market.overview_ticks") == [(None, 1.0)]


# Where the list ends.


def test_a_list_that_ends_before_its_pages_do_is_complete(bench: Bench, start_simulator: StartSimulator) -> None:
    """Page 3 is short because nothing follows: page 4 shows it."""

    def ends(endpoint: str, request: dict[str, Any], body: str) -> str:
        document = json.loads(body)
        return json.dumps(document[: max(0, 250 - request["offset"])]) if endpoint == "coins/list" else body

    with changed(ends) as (address, _):
        for _ in range(2):
            bench.pull(address, coins=500)
    assert [cycle.row["status"] for cycle in bench.store().cycles] == ["complete", "complete"]


def test_a_list_that_ends_much_sooner_than_before_has_lost_its_end(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    bench.pull(start_simulator()[1], coins=500)
    bench.store()

    def ends(endpoint: str, request: dict[str, Any], body: str) -> str:
        return "[]" if endpoint == "coins/list" and request["offset"] >= 300 else body

    with changed(ends) as (address, _):
        bench.pull(address, coins=500)
    [cycle] = bench.store().cycles
    assert cycle.row["status"] == "partial"
    assert cycle.row["missing"] == ["coins/list: the list ends after 300 of 500 entries, and had 500 before"]


def test_a_page_that_is_empty_in_the_middle_is_no_end(bench: Bench) -> None:
    def hole(endpoint: str, request: dict[str, Any], body: str) -> str:
        return "[]" if endpoint == "coins/list" and request["offset"] == 100 else body

    with changed(hole) as (address, _):
        bench.pull(address)
    [cycle] = bench.store().cycles
    assert cycle.row["missing"] == ["coins/list page 2 of 3: 0 of 100 records came"]


# Size.


def test_a_page_with_more_entries_than_its_limit_is_refused_and_not_requested_again(bench: Bench) -> None:
    def flood(endpoint: str, request: dict[str, Any], body: str) -> str:
        return json.dumps(json.loads(body) * 2) if endpoint == "coins/list" and request["offset"] == 100 else body

    with changed(flood) as (address, asked):
        bench.pull(address, meta=False)
    [cycle] = bench.store().cycles
    assert asked.count("coins/list") == 3
    [missing] = cycle.row["missing"]
    assert missing == f"coins/list page 2 of 3: {address} sent 200 entries where 100 at most were due"
    assert bench.query("SELECT count(*) FROM market.coins") == [(200,)]


def test_bodies_that_are_far_too_large_are_kept_as_one_excerpt(bench: Bench) -> None:
    """24 responses of 30 MB took 723 MB of spool and 6.3 GB of memory."""
    filler = " " * 3_000_000

    def flood(endpoint: str, _: dict[str, Any], body: str) -> str:
        return body + filler if endpoint != "status" else body

    with changed(flood) as (address, asked):
        bench.pull(address)
    [spooled] = bench.spool.pending()
    assert spooled.stat().st_size < 100_000
    assert asked.count("overview") == 1  # not requested again: it would be as large
    [cycle] = bench.store().cycles
    assert cycle.row["status"] == "failed"
    assert all("sends over " in missed for missed in cycle.row["missing"])
    quarantined = bench.query("SELECT endpoint, reason, length(payload) FROM ops.quarantine ORDER BY endpoint")
    assert {endpoint for endpoint, *_ in quarantined} == {"credits", "overview", "coins/list", "exchanges/list"}
    for _, reason, length in quarantined:
        assert "bytes, sha256 " in reason
        assert length <= 2_000


def test_a_pull_ends_where_its_spool_is_full(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is stored, the rest is named; the next cycle has a file of its own."""
    monkeypatch.setattr("lcw_assets.ingest.spool.CEILING", 60_000)
    address_of = Simulator(clock=lambda: NOON)
    with address_of.serve() as address:
        pulled = bench.pull(address, coins=1000, meta=False, in_flight=1)
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], bench.hooks.failed(pulled)) == ("partial", False)
    assert 0 < cycle.row["coins_seen"] < 1000
    assert all("takes no more: a load may spool 60,000 bytes" in missed for missed in cycle.row["missing"])
    assert len(address_of.ledger.entries) < 14


# The spool.


def test_one_flipped_digit_is_no_price(bench: Bench, start_simulator: StartSimulator) -> None:
    bench.pull(start_simulator()[1])
    [path] = bench.spool.pending()
    content = path.read_bytes()
    page = re.search(rb'"kind":"response"[^\n]*"offset":100,', content)
    assert page
    place = content.index(b'"rate":', page.end()) + len(b'"rate":')
    flipped = b"1" if content[place : place + 1] != b"1" else b"2"
    path.write_bytes(content[:place] + flipped + content[place + 1 :])
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], cycle.row["coins_seen"]) == ("partial", 200)
    assert cycle.row["missing"] == ["coins/list page 2 of 3: its response was damaged in the spool"]
    [(reason, texts)] = bench.query("SELECT any_value(reason), list(payload) FROM ops.quarantine")
    assert "a line that is not whole" in reason
    assert any(text.startswith("[{") for text in texts)  # nothing is thrown away


def test_names_and_prices_of_a_minute_later_are_whole_again(bench: Bench) -> None:
    """A name that could not be read once comes back with the next cycle that requests names."""
    with changed(in_page(0, '"name": "', r'"name": "\ud83d')) as (address, _):
        bench.pull(address, coins=100)
        bench.store()
    assert bench.query("SELECT count(*) FROM market.coins WHERE name IS NULL") == [(1,)]
    simulator = Simulator(clock=lambda: NOON + timedelta(minutes=1))
    with simulator.serve() as address:
        bench.pull(address, coins=100)
    bench.store()
    assert bench.query("SELECT count(*) FROM market.coins WHERE name IS NULL") == [(0,)]


any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["name", "rate", "rank", "delta", "links", "categories", "symbol", "maxSupply", "other"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(fields, any_json, max_size=4), min_size=1, max_size=3))
def test_whatever_a_coin_says_its_neighbours_are_stored(
    tmp_path_factory: pytest.TempPathFactory, odd: list[dict[str, Any]]
) -> None:
    bench = Bench(tmp_path_factory.mktemp("data"))
    coins = [{"code": "A", "rate": 1.0}, *({"code": f"O{place}"} | values for place, values in enumerate(odd))]
    payload = json.dumps([*coins, {"code": "B", "rate": 2.0}])
    bench.spool_page(payload, limit=len(coins) + 1)
    [cycle] = bench.store().cycles
    assert cycle.row["coins_seen"] == len(coins) + 1
    found = dict(bench.query("SELECT code, rate FROM market.coins"))
    assert (found["A"], found["B"]) == (1.0, 2.0)
    assert set(found) == {"A", "B", *(f"O{place}" for place in range(len(odd)))}
