"""A cycle from the first call to the commit, against servers that answer, and servers that do not."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.fetch import fetch_all
from lcw_assets.ingest.spool import Spool
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import RefusedError
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tuning import Tuning
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import Holder, LockedError, LockWait, WarehouseError
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.defs.market.cycles import Bench
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.oracle import lost, made_up
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, reply, silence
from lcw_assets_tests.transport.test_client import LONG, Kept
from lcw_assets_tests.transport.test_hedging import by_turn, once


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "data")


def test_a_cycle_fills_every_table(bench: Bench, start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator()
    pulled = bench.pull(address)
    assert not pulled.missing
    stored = bench.store()
    [cycle] = stored.cycles
    assert cycle.row["status"] == "complete"
    assert {table: state.rows for table, state in stored.tables.items()} == {
        "market.coins": 300,
        "market.coin_ticks": 300,
        "market.exchanges": 100,
        "market.exchange_ticks": 100,
        "market.overview_ticks": 1,
        "ops.cycles": 1,
        "ops.calls": 7,
    }
    assert (cycle.pages.received, cycle.pages.absent, cycle.pages.repeated) == (300, 0, ())
    assert bench.spool.pending() == []
    digests = {
        hashlib.sha256(payload.encode()).hexdigest() for (payload,) in bench.query("SELECT payload FROM raw.pulls")
    }
    assert digests == {entry.digest for entry in simulator.ledger.entries}


def test_the_phases_add_up_to_the_cycle(bench: Bench, start_simulator: StartSimulator) -> None:
    bench.pull(start_simulator()[1])
    bench.store()
    [(cycle_s, phases)] = bench.query(
        "SELECT cycle_s, queue_s + start_s + pull_s + handover_s + lock_wait_s + store_s FROM ops.cycles"
    )
    assert phases == pytest.approx(cycle_s, abs=0.05)


def test_a_cycle_is_committed_when_its_clock_says(bench: Bench, start_simulator: StartSimulator) -> None:
    bench.pull(start_simulator()[1])
    seconds = itertools.count()
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    bench.store(StoreClock(now=lambda: later, seconds=lambda: float(next(seconds))))
    [(committed_at, cycle_s, store_s)] = bench.query("SELECT committed_at, cycle_s, store_s FROM ops.cycles")
    assert (committed_at, store_s) == (later, 1.0)
    assert cycle_s >= 3600


def test_the_recorded_page_arrives_to_the_last_value(
    bench: Bench, start_simulator: StartSimulator, recorded_lcw: Path
) -> None:
    """A real response through HTTP, spool, parsing and merge; every value of every coin compared."""
    _, address = start_simulator(replay=recorded_lcw)
    pulled = bench.pull(address, coins=100)
    assert {missing.call for missing in pulled.missing} == {
        "credits",
        "overview",
        "exchanges/list page 1 of 1",
    }
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], cycle.quarantined, cycle.pages.absent) == ("partial", {}, 0)
    [file] = recorded_lcw.glob("*.json")
    recorded: list[dict[str, Any]] = json.loads(file.read_text())
    names = {"age": "age_days", "allTimeHighUSD": "all_time_high_usd", "circulatingSupply": "circulating_supply"}
    names |= {"totalSupply": "total_supply", "maxSupply": "max_supply"}
    columns = [column for column, *_ in bench.query("DESCRIBE market.coins")]
    rows = {row[0]: dict(zip(columns, row, strict=True)) for row in bench.query("SELECT * FROM market.coins")}
    for coin in recorded:
        row = rows.pop(coin["code"])
        expected = {names.get(name, name): value for name, value in coin.items() if name not in ("delta", "links")}
        expected |= {f"delta_{span}": value for span, value in coin["delta"].items()}
        assert {name: row[name] for name in expected} == expected
        assert json.loads(row["links"]) == coin["links"]
        assert row["symbol"] == coin.get("symbol")
        assert row["liquidity"] is None
    assert rows == {}
    common = [column for column, *_ in bench.query("DESCRIBE market.coin_ticks")]
    ticks = bench.query("SELECT * FROM market.coin_ticks")
    assert {row[0]: dict(zip(common, row, strict=True)) for row in ticks} == {
        row[0]: dict(zip(common, row, strict=True))
        for row in bench.query(f"SELECT {', '.join(common)} FROM market.coins")
    }


def test_a_second_cycle_adds_only_what_changed(bench: Bench, start_simulator: StartSimulator) -> None:
    now = NOON
    _, address = start_simulator(clock=lambda: now)
    for _ in range(2):
        bench.pull(address)
        [cycle] = bench.store().cycles
    assert cycle.merged["market.coins"].changed == 0
    assert bench.query("SELECT count(*) FROM market.coin_ticks") == [(300,)]
    now = NOON + timedelta(minutes=1)
    bench.pull(address)
    [cycle] = bench.store().cycles
    changed = cycle.merged["market.coins"].changed
    assert 100 < changed < 300
    assert bench.query("SELECT count(*) FROM market.coin_ticks") == [(300 + changed,)]
    assert bench.query("SELECT count(*) FROM market.overview_ticks") == [(2,)]


def test_flaky_is_survived(bench: Bench, start_simulator: StartSimulator) -> None:
    """Repeats mend nearly everything; what they do not is named."""
    simulator, address = start_simulator(profile="flaky", seed=3)
    for _ in range(5):
        bench.pull(address, coins=1000, attempt_s=2.0)
    stored = bench.store()
    assert len(stored.cycles) == 5
    assert {cycle.row["status"] for cycle in stored.cycles} <= {"complete", "partial"}
    kept = bench.query("SELECT endpoint, request, payload FROM raw.pulls")
    facts = bench.query("SELECT endpoint, request, outcome FROM ops.calls")
    assert made_up(simulator.ledger.entries, kept) == []
    assert lost(simulator.ledger.entries, kept, facts) == []
    sent = [fact for fact in facts if fact[2] != "deadline"]
    assert len(sent) >= len(simulator.ledger.entries) >= len(kept) > 50


def faulty(endpoint: str, fault: Fault, **match: Any) -> Any:
    """A profile with one fault: for every request to this endpoint whose fields match."""

    def profile(draw: Draw) -> Fault:
        request = json.loads(draw.content or "{}")
        hit = draw.endpoint == endpoint and all(request.get(name) == value for name, value in match.items())
        return fault if hit else Fault()

    return profile


def test_a_dead_endpoint_costs_only_its_own_data(bench: Bench, start_simulator: StartSimulator) -> None:
    _, address = start_simulator(profile=faulty("exchanges/list", Fault("error", status=500)))
    bench.pull(address)
    [cycle] = bench.store().cycles
    assert cycle.row["status"] == "partial"
    assert cycle.row["missing"] == ["exchanges/list page 1 of 1: 500 Internal Server Error: We had a problem "
                                    "with our server. Try again later."]  # fmt: skip
    assert (cycle.row["coins_seen"], cycle.row["retries"]) == (300, 3)


def test_at_the_deadline_what_came_is_stored_and_what_did_not_is_named(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    """A page would take ten minutes. On a busy machine others may be late as well: all must be reported."""
    slow = faulty("coins/list", Fault(delay_s=PATIENCE_S), offset=100)
    _, address = start_simulator(profile=slow)
    bench.pull(address, seconds=2.0)
    [cycle] = bench.store().cycles
    pages = bench.query("SELECT request ->> 'offset' FROM raw.pulls WHERE endpoint = 'coins/list'")
    assert ("100",) not in pages
    assert (cycle.row["status"], cycle.row["coins_seen"]) == ("partial", 100 * len(pages))
    [(kept,)] = bench.query("SELECT count(*) FROM raw.pulls")
    assert len(cycle.row["missing"]) == 7 - kept
    assert any(missed.startswith("coins/list page 2 of 3: ") for missed in cycle.row["missing"])
    assert cycle.pages.absent == 0  # the page did not come: nothing fell between pages


def test_a_silent_server_ends_at_the_deadline(bench: Bench) -> None:
    """It would be silent for ten minutes."""
    with raw_server(silence) as address:
        pulled = bench.pull(address, seconds=1.0)
    assert bench.hooks.failed(pulled)
    assert len(pulled.missing) == 7
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], cycle.row["coins_seen"]) == ("failed", 0)


def test_nobody_there_is_found_out_without_requesting_everything(bench: Bench) -> None:
    pulled = bench.pull("http://127.0.0.1:1", coins=5000)
    assert bench.hooks.failed(pulled)
    assert pulled.reason == "http://127.0.0.1:1 refuses connections"
    assert len(pulled.missing) == 54
    bench.store()
    [(calls,)] = bench.query("SELECT count(DISTINCT (endpoint, request)) FROM ops.calls")
    assert calls < 54  # some ten of them: when the fourth has failed, others are on their way
    assert bench.query("SELECT status, len(missing) FROM ops.cycles") == [("failed", 54)]


def test_a_server_that_is_not_live_coin_watch_is_distinguished(bench: Bench) -> None:
    with raw_server(reply("404 Not Found", b"<html>nginx</html>")) as address:
        pulled = bench.pull(address)
    assert pulled.reason == f"{address} answers with HTTP 404: is LCW_BASE_URL right?"


def test_a_cdn_that_blocks_one_endpoint_costs_only_that(bench: Bench, start_simulator: StartSimulator) -> None:
    """A firewall's rule is about one kind of request: the pages of coins still come."""
    _, address = start_simulator(profile=faulty("exchanges/list", Fault("html", status=403)))
    pulled = bench.pull(address)
    assert pulled.ended_by is None
    [missing] = pulled.missing
    assert str(missing).startswith("exchanges/list page 1 of 1: A CDN, firewall or proxy, in front of")
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], cycle.row["coins_seen"]) == ("partial", 300)


def test_a_cdn_that_blocks_everything_is_found_out_after_a_few_calls(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    simulator, address = start_simulator(profile=lambda _: Fault("html", status=403))
    pulled = bench.pull(address, coins=5000)
    assert bench.hooks.failed(pulled)
    assert pulled.reason.startswith("A CDN, firewall or proxy, in front of")
    assert len(pulled.missing) == 54
    assert len(simulator.ledger.entries) < 20


def test_an_empty_list_of_coins_is_an_error(bench: Bench, start_simulator: StartSimulator) -> None:
    with raw_server(reply("200 OK", b"[]")) as address:
        pulled = bench.pull(address, coins=100)
    reasons = [missing.reason for missing in pulled.missing if missing.call.startswith("coins/list")]
    assert any("an empty list of coins" in reason for reason in reasons)
    assert bench.hooks.failed(pulled)


def test_a_page_that_is_no_list_is_quarantined_and_missed(bench: Bench, start_simulator: StartSimulator) -> None:
    _, address = start_simulator(profile=faulty("coins/list", Fault("wrong_shape"), offset=200))
    bench.pull(address)
    [cycle] = bench.store().cycles
    assert (cycle.row["status"], cycle.row["coins_seen"]) == ("partial", 200)
    quarantined = bench.query("SELECT endpoint, reason, payload FROM ops.quarantine")
    assert len(quarantined) == 1  # asked four times, and answered with the same each time
    assert all(
        "where a list was due" in reason and payload.startswith('{"data":') for _, reason, payload in quarantined
    )


def test_a_page_that_repeats_coins_is_noticed(bench: Bench, start_simulator: StartSimulator) -> None:
    """While page 2 was read, ranks moved: its first five coins are page 1's last, and five fell between."""
    _, address = start_simulator(profile=faulty("coins/list", Fault("repeated"), offset=100))
    bench.pull(address)
    [cycle] = bench.store().cycles
    assert (len(cycle.pages.repeated), cycle.pages.absent_ranks) == (5, (196, 197, 198, 199, 200))
    assert cycle.row["status"] == "complete"  # a check names them; ranks move in every other cycle
    assert bench.query("SELECT count(*), count(DISTINCT code) FROM market.coins") == [(295, 295)]


def test_values_that_do_not_validate_stop_nothing(
    bench: Bench, start_simulator: StartSimulator, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    coins = [{"code": "A", "rate": 1.0}, {"code": "B", "rate": "two"}, {"rate": 3.0}, {"code": "D", "rate": 4.0}]
    (recordings / "coins_list.json").write_text(json.dumps(coins))
    _, address = start_simulator(replay=recordings)
    bench.pull(address, coins=4)
    [cycle] = bench.store().cycles
    assert bench.query("SELECT code, rate FROM market.coins ORDER BY code") == [("A", 1.0), ("B", None), ("D", 4.0)]
    assert cycle.quarantined == {"coins/list": 2}
    assert bench.query("SELECT reason, payload FROM ops.quarantine ORDER BY reason") == [
        ("code: Field required", '{"rate":3.0}'),
        ("rate: Input should be a valid number", '{"code":"B","rate":"two"}'),
    ]


def test_a_locked_database_leaves_the_cycle_in_the_spool_and_the_next_stores_both(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    _, address = start_simulator()
    bench.pull(address)
    bench.store()
    with held_open(bench.database):
        bench.pull(address)
        with pytest.raises(LockedError):
            bench.store()
        assert len(bench.spool.pending()) == 1
    bench.pull(address)
    stored = bench.store()
    assert [cycle.row["status"] for cycle in stored.cycles] == ["complete", "complete"]
    assert bench.query("SELECT count(*), count(DISTINCT cycle_id) FROM ops.cycles") == [(3, 3)]
    assert bench.query("SELECT count(*) FROM raw.pulls") == [(21,)]


def test_a_cycle_that_waited_for_the_database_says_who_had_it(bench: Bench, start_simulator: StartSimulator) -> None:
    """And one that met nobody says nothing."""
    _, address = start_simulator()
    bench.pull(address)
    bench.store()
    assert bench.query("SELECT count(*) FROM ops.lock_waits") == [(0,)]
    bench.pull(address)
    with held_open(bench.database) as holder:
        assert holder.stdin
        threading.Timer(0.4, holder.stdin.close).start()
        [cycle] = bench.store(lock_wait_s=PATIENCE_S).cycles
    assert bench.query(
        "SELECT load_id, pid, opened, waited_s = lock_wait_s, starts_with(holder, '/') "
        "FROM ops.lock_waits JOIN ops.cycles ON load_id = cycle_id"
    ) == [(cycle.row["cycle_id"], holder.pid, True, True, True)]


def test_who_had_the_database_waits_in_the_file_of_the_run_that_was_locked_out(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    wait = LockWait(NOON, 5.0, Holder("/usr/bin/duckdb", 7))
    for _ in range(2):
        bench.pull(start_simulator()[1])
    path, _ = bench.spool.files()
    path.rename(path.with_name(f"{path.stem}-some-run.jsonl"))
    bench.spool.locked_out("some-run-and-more", wait, bench.said.append)
    bench.spool.locked_out("a-run-that-has-no-file", wait, bench.said.append)
    cycle, _ = bench.store().cycles
    assert bench.query("SELECT load_id, waited_at, waited_s, holder, pid, opened FROM ops.lock_waits") == [
        (cycle.row["cycle_id"], NOON, 5.0, "/usr/bin/duckdb", 7, False)
    ]
    assert bench.query("SELECT count(*) FROM ops.quarantine") == [(0,)]


def test_a_file_that_cannot_be_written_to_stops_nothing_and_is_said(tmp_path: Path) -> None:
    """A program that runs takes no writing, not even from root."""
    said: list[str] = []
    program = tmp_path / "20261120T120000.000Z-some-run.jsonl"
    shutil.copy(shutil.which("sleep") or "sleep", program)
    with subprocess.Popen([str(program), "600"]) as running:
        Spool(tmp_path).locked_out("some-run", LockWait(NOON, 5.0), said.append)
        running.kill()
    assert said == [
        f"{tmp_path} takes no responses (Text file busy): set LCW_DATA_DIR to a folder that can be written to"
    ]


def test_a_market_that_stands_still_is_confirmed_by_each_response(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    """`overview_ticks` has a row where something changed: it does not say when it was last confirmed."""
    _, address = start_simulator()
    for _ in range(2):
        bench.pull(address)
        stored = bench.store()
    state = stored.tables["market.overview_ticks"]
    [(asked,)] = bench.query("SELECT max(received_at) FROM raw.pulls WHERE endpoint = 'overview'")
    [(changed,)] = bench.query("SELECT max(observed_at) FROM market.overview_ticks")
    assert (state.rows, state.confirmed_at) == (1, asked)
    assert changed < asked


@pytest.mark.parametrize(
    ("late_s", "confirmed"),
    [(-90_000, False), (-3600, True), (30, True), (3600, False)],
    ids=["a day and more ago", "an hour ago", "clocks that differ a little", "a clock that was ahead"],
)
def test_only_what_this_clock_can_believe_confirms(
    bench: Bench, start_simulator: StartSimulator, late_s: int, confirmed: bool
) -> None:
    bench.pull(start_simulator()[1])
    bench.store()
    moved = f"now() + to_seconds({late_s})"
    with open_database(bench.database) as db:
        db.execute(f"UPDATE raw.pulls SET received_at = {moved}")
        db.execute(f"UPDATE market.exchanges SET observed_at = {moved}")
    states = bench.store().tables
    assert (states["market.overview_ticks"].confirmed_at is not None) == confirmed
    # Of rows, the age is known however old they are.
    assert (states["market.exchanges"].confirmed_at is not None) == (late_s < 3600)


def test_a_response_that_was_refused_confirms_nothing(
    bench: Bench, start_simulator: StartSimulator, tmp_path: Path
) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    (recordings / "overview.json").write_text(json.dumps({"cap": "much"}))
    bench.pull(start_simulator(replay=recordings)[1])
    state = bench.store().tables["market.overview_ticks"]
    assert bench.query("SELECT count(*) FROM raw.pulls WHERE endpoint = 'overview'") == [(1,)]
    assert bench.query("SELECT DISTINCT endpoint FROM ops.quarantine") == [("overview",)]
    assert (state.rows, state.confirmed_at) == (0, None)


def test_a_broken_database_keeps_the_spool(bench: Bench, start_simulator: StartSimulator) -> None:
    bench.pull(start_simulator()[1])
    bench.database.write_bytes(b"not a database" * 999)
    with pytest.raises(WarehouseError, match="move it away"):
        bench.store()
    bench.database.unlink()
    [cycle] = bench.store().cycles
    assert cycle.row["status"] == "complete"


def test_a_cycle_that_is_stored_already_is_not_stored_again(bench: Bench, start_simulator: StartSimulator) -> None:
    """Its process died between the commit and the removal of the file."""
    bench.pull(start_simulator()[1])
    [path] = bench.spool.pending()
    content = path.read_bytes()
    bench.store()
    path.write_bytes(content)
    assert bench.store().cycles == []
    assert bench.spool.pending() == []
    assert bench.query("SELECT count(*) FROM raw.pulls") == [(7,)]


def test_junk_in_the_spool_is_set_aside_and_blocks_nothing(bench: Bench, start_simulator: StartSimulator) -> None:
    bench.pull(start_simulator()[1])
    (bench.spool.folder / "0-junk.jsonl").write_text("what?\n")
    assert len(bench.store().cycles) == 1
    assert any("does not begin with a load; it is set aside" in line for line in bench.said)


def test_every_thirtieth_cycle_tidies_up(bench: Bench, start_simulator: StartSimulator) -> None:
    """Small row groups pile up between two tidyings, and are merged by them."""
    _, address = start_simulator()

    def row_groups() -> int:
        [(groups,)] = bench.query("SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('ops.calls')")
        return int(groups)

    for number in range(29):
        bench.pull(address, coins=100)
        if number % 5 == 3:
            bench.store()
    before = row_groups()
    bench.pull(address, coins=100)
    bench.store()
    assert bench.query("SELECT count(*) FROM ops.cycles") == [(30,)]
    assert row_groups() < before


def test_values_below_zero_are_named(bench: Bench, start_simulator: StartSimulator, tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    coins = [
        {"code": "A", "rate": -1.0},
        {"code": "B", "rate": 1.0, "delta": {"day": -0.1}},
        {"code": "C", "rate": 1.0},
    ]
    (recordings / "coins_list.json").write_text(json.dumps(coins))
    bench.pull(start_simulator(replay=recordings)[1], coins=3)
    assert sorted(bench.store().tables["market.coins"].negative) == ["A", "B"]


def test_names_stay_when_only_prices_are_requested(bench: Bench, start_simulator: StartSimulator) -> None:
    """The cycles between two full hours: an eighth of the bytes, and ranks told by the place in the list."""
    _, address = start_simulator()
    bench.pull(address)
    bench.store()
    before = bench.query("SELECT code, name, rank, circulating_supply FROM market.coins ORDER BY code")
    bench.pull(address, meta=False)
    [cycle] = bench.store().cycles
    assert cycle.merged["market.coins"].changed == 0
    assert bench.query("SELECT code, name, rank, circulating_supply FROM market.coins ORDER BY code") == before
    assert cycle.row["bytes"] < 60_000


def test_without_ranks_a_coin_that_stands_twice_reports_one_that_fell_out(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    _, address = start_simulator(profile=faulty("coins/list", Fault("repeated"), offset=100))
    bench.pull(address, meta=False)
    [cycle] = bench.store().cycles
    assert (len(cycle.pages.repeated), cycle.pages.absent, cycle.pages.absent_ranks) == (5, 5, ())


def test_a_pull_that_gives_up_lets_in_what_is_on_its_way(bench: Bench, start_simulator: StartSimulator) -> None:
    """Found by the soak: four calls had failed, and the response to a fifth, sent by then, was thrown away."""

    def one_is_slow(draw: Draw) -> Fault:
        # All of the first four are on their way before any is answered.
        return Fault(delay_s=1.5) if draw.endpoint == "overview" else Fault("error", status=402, delay_s=0.5)

    simulator, address = start_simulator(profile=one_is_slow)
    pulled = bench.pull(address, coins=1000)
    assert pulled.ended_by
    assert pulled.parts["overview"].succeeded == 1
    bench.store()
    assert bench.query("SELECT endpoint FROM raw.pulls") == [("overview",)]
    assert [entry.endpoint for entry in simulator.ledger.entries if entry.good] == ["overview"]
    assert len(pulled.missing) == 13  # each of the others, requested or not
    assert len(simulator.ledger.entries) <= 7


def test_a_pull_that_gives_up_repeats_nothing_that_is_on_its_way(tmp_path: Path) -> None:
    """No credits are left, says the first response. What three others meet after that is not tried again."""
    deadline, sink = Deadline.after(PATIENCE_S), Kept()

    def given_up() -> bool:
        return not deadline.left()

    refused = reply("402 Payment Required", b"")
    ill = once(given_up, reply("503 Busy", b""), most_s=20.0)
    with raw_server(by_turn(refused, ill)) as address:
        retry = RetryPolicy(attempts=9, first_s=0.01)
        client = Client(address, source="test", sink=sink, timeouts=LONG, retry=retry, tuning=Tuning(in_flight=4))
        api = LiveCoinWatch(client, deadline=deadline, simulated=True)
        calls = plan_cycle(coins=1000, exchanges=100, currency="USD", meta=False)
        pulled = fetch_all(api, calls, deadline=deadline, in_flight=4, log=print, received=lambda _call, _document: 1)
    assert pulled.ended_by
    assert len(pulled.missing) == 14
    sent = [attempt for attempt in sink.attempts if attempt.outcome != "deadline"]
    assert {attempt.attempt for attempt in sent} == {1}
    assert len(sent) < 14


def test_an_error_that_every_call_meets_ends_the_fetch_before_it_is_logged(tmp_path: Path) -> None:
    """A line into Dagster's log takes 10 ms, and what is refused at once takes none: all calls would have been made."""
    deadline, left = Deadline.after(PATIENCE_S), list[float]()

    class Refusing:
        def fetch(self, endpoint: str, request: dict[str, Any]) -> Any:
            raise RefusedError(endpoint, "the key is wrong", outcome="rejected")

    fetch_all(
        Refusing(),
        plan_cycle(coins=1000, exchanges=100, currency="USD", meta=False),
        deadline=deadline,
        in_flight=1,
        log=lambda _line: left.append(deadline.left()),
        received=lambda _call, _document: 1,
    )
    assert left
    assert set(left) == {0.0}


def test_a_store_that_fails_in_the_middle_leaves_nothing_of_its_cycle(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    """Somebody has dropped the last table that is written to. All of the cycle is stored once that is there again."""
    bench.pull(start_simulator()[1])
    with open_database(bench.database) as db:
        [(made,)] = db.execute("SELECT sql FROM duckdb_tables() WHERE table_name = 'overview_ticks'").fetchall()
        db.execute("DROP TABLE market.overview_ticks")
    with pytest.raises(duckdb.CatalogException):
        bench.store()
    assert len(bench.spool.pending()) == 1
    for table in ("raw.pulls", "ops.calls", "ops.resources", "market.coins", "market.coin_ticks", "ops.cycles"):
        assert bench.query(f"SELECT count(*) FROM {table}") == [(0,)]
    with open_database(bench.database) as db:
        db.execute(made)
    assert [cycle.row["status"] for cycle in bench.store().cycles] == ["complete"]
    assert bench.query("SELECT count(*) FROM raw.pulls") == [(7,)]


# What is listed now.


def test_current_coins_are_those_of_the_last_complete_cycle(bench: Bench, start_simulator: StartSimulator) -> None:
    """Coins that left the pages keep their rank in market.coins: rank 298 stood there three times."""
    now = NOON
    _, address = start_simulator(clock=lambda: now, seed=5)
    for hours in (0, 30, 60):
        now = NOON + timedelta(hours=hours)
        bench.pull(address)
        bench.store()
    assert bench.query("SELECT count(*) FROM market.coins")[0][0] > 300
    assert bench.query("SELECT count(*), count(DISTINCT rank), max(rank) FROM market.current_coins") == [
        (300, 300, 300)
    ]
    assert bench.query("SELECT count(*) FROM market.current_exchanges") == [(100,)]
    columns = "SELECT list(column_name) FROM (DESCRIBE market.{})"
    assert bench.query(columns.format("current_coins")) == bench.query(columns.format("coins"))


def test_a_partial_cycle_adds_to_what_is_current_and_takes_nothing(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    bench.pull(start_simulator()[1])
    bench.store()
    _, address = start_simulator(
        clock=lambda: NOON + timedelta(hours=40), profile=faulty("coins/list", Fault("error", status=500), offset=100)
    )
    bench.pull(address)
    [cycle] = bench.store().cycles
    assert cycle.row["status"] == "partial"
    current = {code for (code,) in bench.query("SELECT code FROM market.current_coins")}
    assert current == {code for (code,) in bench.query("SELECT code FROM market.coins")}
    assert bench.query("SELECT count(DISTINCT cycle_id) FROM market.current_coins") == [(2,)]


def test_before_any_complete_cycle_all_is_current_and_currencies_are_apart(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    _, address = start_simulator(profile=faulty("overview", Fault("error", status=500)))
    bench.pull(address)
    bench.store()
    assert bench.query("SELECT count(*) FROM market.current_coins") == [(300,)]
    with open_database(bench.database) as db:
        db.execute("INSERT INTO market.coins SELECT * REPLACE ('EUR' AS currency, 'x' AS cycle_id) FROM market.coins")
    assert bench.query("SELECT currency, count(*) FROM market.current_coins GROUP BY ALL ORDER BY ALL") == [
        ("EUR", 300), ("USD", 300)
    ]  # fmt: skip


def test_a_cycle_that_a_wrong_clock_stamped_does_not_empty_what_is_current(
    bench: Bench, start_simulator: StartSimulator
) -> None:
    bench.pull(start_simulator()[1])
    bench.store()
    with open_database(bench.database) as db:
        db.execute(
            "INSERT INTO ops.loads "
            "SELECT * REPLACE ('2999' AS load_id, started_at + INTERVAL 900 YEAR AS started_at) FROM ops.loads"
        )
    assert bench.query("SELECT count(*) FROM market.current_coins") == [(300,)]
