"""Every sync is stored once, told once, and found again quickly."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from lcw_assets.alerts.incidents import Alert
from lcw_assets.alerts.outbox import Outbox
from lcw_assets.defs.registry import load
from lcw_assets.defs.registry.layout import cluster, unordered
from lcw_assets.defs.registry.staging import MOVES, TERMS, KnownFields, fingerprint
from lcw_assets.ingest import store
from lcw_assets.simulator.faults import Fault
from lcw_assets.sources.kucoin_futures.records import Contract, read_contracts
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import LockedError
from lcw_assets.warehouse.tables import transaction
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.registry.syncs import NOON, Registry, body, contract
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.patience import PATIENCE_S


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_syncs_that_waited_are_stored_in_order_each_once(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"))
    with held_open(registry.database):
        registry.receive(body(contract("AUSDTM"), contract("BUSDTM")))
        with pytest.raises(LockedError):
            registry.store()
        registry.receive(body(contract("BUSDTM")))
    stored = registry.store()
    assert [sync.found.status for sync in stored.syncs] == ["applied", "applied"]
    assert registry.query("SELECT count(*) FROM ops.lock_waits") == [(0,)]
    assert registry.events()[1:] == [
        (2, "BUSDTM", "listed", "status", None, "active"),
        (3, "AUSDTM", "delisted", "status", "active", "delisted"),
    ]
    assert registry.spool.files() == []
    assert registry.store().syncs == []
    assert [alert.what for alert in registry.alerts] == ["1 listed: BUSDTM", "1 delisted: AUSDTM"]


def test_a_sync_that_waited_for_the_database_says_who_had_it(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"))
    registry.receive(body(contract("AUSDTM")))
    with held_open(registry.database) as holder:
        assert holder.stdin
        threading.Timer(0.4, holder.stdin.close).start()
        registry.store(lock_wait_s=PATIENCE_S)
    [row] = registry.query(
        "SELECT pid, opened, waited_s = lock_wait_s FROM ops.lock_waits JOIN ops.syncs ON load_id = sync_id"
    )
    assert row == (holder.pid, True, True)


def test_what_fails_on_the_way_leaves_nothing_and_is_done_whole_the_next_time(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks before the commit: events without tokens would be reported twice."""
    registry.minute(contract("AUSDTM"))
    registry.receive(body(contract("AUSDTM", maxLeverage=1), contract("BUSDTM")))
    with monkeypatch.context() as broken:
        broken.setattr(load.SyncHooks, "detail", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            registry.store()
    assert len(registry.events()) == 1
    assert registry.alerts == []
    registry.store()
    assert len(registry.events()) == 3
    assert len(registry.alerts) == 1


def test_a_death_between_the_commit_and_the_delivery_delivers_and_one_after_it_does_not_again(
    registry: Registry,
) -> None:
    registry.minute(contract("AUSDTM"))

    registry.receive(body(contract("AUSDTM"), contract("BUSDTM")))
    [file] = registry.spool.files()
    content = file.read_bytes()
    telling, registry.alerts = registry.alerts, Dying()
    with pytest.raises(DyingError):
        registry.store()
    assert len(registry.spool.files()) == 1
    registry.alerts = telling
    assert registry.store().syncs == []  # it is in the tables already
    [alert] = registry.alerts
    assert alert.what == "1 listed: BUSDTM"
    outbox = Outbox(registry.folder / "alerts", str)
    outbox.put([alert], registry.said.append)
    outbox.flush([], lambda: open_database(registry.database), NOON, registry.said.append)
    file.write_bytes(content)
    registry.store()
    assert len(registry.alerts) == 1


def test_the_first_contracts_are_no_news_also_after_an_empty_response(registry: Registry) -> None:
    registry.minute()
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    assert registry.alerts == []
    registry.minute(contract("AUSDTM"), contract("BUSDTM"), contract("CUSDTM"))
    assert [alert.what for alert in registry.alerts] == ["1 listed: CUSDTM"]


class DyingError(BaseException):
    """A process that is killed."""


class Dying(list[Alert]):
    def extend(self, _: object) -> None:
        raise DyingError


def test_a_process_that_died_while_it_fetched_leaves_its_facts(registry: Registry) -> None:
    with pytest.raises(DyingError), registry.spool.open(registry.sync(NOON)):
        raise DyingError
    [sync] = registry.store().syncs
    assert (sync.found.status, sync.found.reason, sync.phases.api) == (
        "failed",
        "the process died while it fetched",
        None,
    )
    assert registry.query("SELECT status, calls FROM ops.syncs") == [("failed", 0)]


def test_a_sync_against_a_server_has_its_phases(registry: Registry, start_simulator: StartSimulator) -> None:
    _, address = start_simulator(contracts=30)
    asked = registry.ask(address)
    [sync] = registry.store().syncs
    assert asked.parts["contracts"].entries == sync.found.contracts > 25
    assert sync.phases.api and sync.phases.api <= sync.phases.total
    assert all(seconds is not None and seconds > 0 for seconds in vars(sync.phases).values())
    [row] = registry.query("SELECT api_s, load_s, process_s, write_s, checks_s, calls, bytes > 1000 FROM ops.syncs")
    assert row[5:] == (1, True)
    assert all(value > 0 for value in row[:5])


def test_a_slow_commit_is_writing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def slow(db: DuckDBPyConnection) -> Iterator[None]:
        with transaction(db):
            yield
        time.sleep(0.3)

    monkeypatch.setattr(store, "transaction", slow)
    assert registry.minute(contract("AUSDTM")).phases.write >= 0.3


def test_a_broken_body_is_kept_for_a_look(registry: Registry, start_simulator: StartSimulator) -> None:
    _, address = start_simulator(profile=lambda _: Fault("truncated"), contracts=30)
    assert "it is not JSON" in registry.ask(address).reason
    [sync] = registry.store().syncs
    assert sync.found.status == "failed"
    assert registry.query("SELECT count(*) FROM ops.quarantine WHERE reason LIKE '%not JSON%'") == [
        (1,)
    ]  # of two tries
    assert registry.query("SELECT count(*) FROM registry.tokens") == [(0,)]


# What is compared.


def test_every_field_is_of_one_kind() -> None:
    assert sorted(("symbol", "exchange_status", *MOVES, *TERMS)) == sorted(Contract.model_fields)


def test_a_fingerprint_minds_all_that_lasts_and_nothing_that_moves() -> None:
    def mark(**fields: Any) -> str:
        records = read_contracts(body(contract("AUSDTM", **fields))).records
        return fingerprint(records[0], KnownFields.by(read_contracts(body(contract("AUSDTM"))).records))

    usual = mark()
    assert usual == mark() == mark(markPrice=77, openInterest="5", nextFundingRateTime=1, brandNew=1)
    changes: list[dict[str, Any]] = [
        {"maxLeverage": 99}, {"maxLeverage": ...}, {"status": "Paused"}, {"sourceExchanges": []},
        {"settlementSymbol": ".X"}, {"supportCross": False}, {"expireDate": 1},
    ]  # fmt: skip
    assert len({usual, *(mark(**change) for change in changes)}) == 1 + len(changes)


def test_a_fingerprint_of_another_version_costs_a_look_and_no_event(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    with open_database(registry.database) as db:
        db.execute("UPDATE registry.tokens SET fingerprint = 'of another version'")
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    assert len(registry.events()) == 2
    assert registry.query("SELECT count(*) FROM registry.tokens WHERE fingerprint LIKE 'of%'") == [(0,)]


# What people ask.


def test_a_response_is_kept_to_the_letter_where_the_tables_do_not_say_all_of_it(registry: Registry) -> None:
    def kept() -> int:
        [(responses,)] = registry.query("SELECT count(*) FROM raw.pulls")
        return int(responses)

    two = contract("AUSDTM"), contract("BUSDTM")
    registry.minute(*two)  # the first one lists
    assert kept() == 1
    for price in (11, 12, 13):
        registry.minute(*two[:1], contract("BUSDTM", markPrice=price))
    registry.minute(*two[:1], contract("BUSDTM", maxLeverage=5))  # the event has both values
    assert kept() == 1
    registry.minute(*two[:1])  # one goes
    registry.minute(*two[:1], contract("CUSDTM"))  # and another comes, of which the tables have all
    assert kept() == 1
    registry.minute(*two[:1], contract("BUSDTM", maxLeverage="many"))  # a value is refused
    assert kept() == 2
    registry.minute(*two[:1], contract("BUSDTM", maxLeverage="many"))  # and again, for which one is enough
    assert kept() == 2
    registry.minute()  # held
    assert kept() == 3
    registry.now += timedelta(hours=1)
    registry.minute(*two)
    assert kept() == 4


def test_the_queries_that_people_have(registry: Registry) -> None:
    now = registry.now = datetime.now(timezone.utc) - timedelta(hours=5)
    opened = int((now - timedelta(minutes=30)).timestamp() * 1000)
    leader, fresh = contract("AUSDTM", fundingFeeRate=-0.01), contract("DUSDTM", firstOpenDate=opened)
    registry.minute(leader, contract("BUSDTM"), contract("CUSDTM", status="Paused"))
    for _ in range(2):
        registry.minute(leader, contract("CUSDTM"), fresh)

    def names(query: str) -> list[str]:
        return [name for (name,) in registry.query(f"SELECT symbol FROM {query}")]

    assert names("registry.active_tokens") == ["AUSDTM", "CUSDTM", "DUSDTM"]
    assert names("registry.funding_leaders") == ["AUSDTM", "CUSDTM", "DUSDTM"]
    assert names("registry.new_tokens(24)") == ["DUSDTM"]
    assert names("registry.new_tokens(5.25)") == []
    assert names(f"registry.delisted_since('{now:%Y-%m-%d %H:%M:%S}+00')") == ["BUSDTM"]
    assert names("registry.delisted_since(now() - INTERVAL 1 HOUR)") == []
    assert names(f"registry.listed_on('{now - timedelta(minutes=30):%Y-%m-%d}')") == ["DUSDTM"]
    assert names("registry.listed_on('2020-03-30')") == ["AUSDTM", "BUSDTM", "CUSDTM"]
    history = registry.query("SELECT event, old_value, new_value FROM registry.token_history('CUSDTM')")
    assert history == [("status_changed", "paused", "active"), ("listed", None, "paused")]
    [(year,)] = registry.query("SELECT funding_a_year FROM registry.funding_leaders WHERE symbol = 'AUSDTM'")
    assert year == pytest.approx(-0.01 * 3 * 365.25)


def test_events_in_the_order_of_their_names_are_the_same_events(registry: Registry) -> None:
    registry.minute(contract("BUSDTM"), contract("AUSDTM"))
    registry.minute(contract("BUSDTM", maxLeverage=1), contract("AUSDTM"))
    before = registry.events()
    description = registry.query("DESCRIBE registry.token_events")
    with open_database(registry.database) as db:
        assert unordered(db, 3) == 3
        cluster(db)
        assert unordered(db, 3) == 0
        rows = db.execute("SELECT event, symbol FROM registry.token_events").fetchall()
    assert rows == [("listed", "AUSDTM"), ("listed", "BUSDTM"), ("parameter_changed", "BUSDTM")]
    assert registry.events() == before
    assert registry.query("DESCRIBE registry.token_events") == description
    registry.minute(contract("AUSDTM"))
    assert len(registry.events()) == 4
    assert len(registry.query("SELECT * FROM registry.token_history('BUSDTM')")) == 3


def test_the_order_is_made_when_it_pays(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "COMPACT_EVERY", 2)
    monkeypatch.setattr(load, "MOST_UNORDERED", 3)
    for leverage in (1, 2, 3, 4):
        registry.minute(contract("AUSDTM", maxLeverage=leverage))
    assert registry.query("SELECT rows FROM ops.clusterings") == [(4,)]
    registry.minute(contract("AUSDTM", maxLeverage=5))
    assert len(registry.events()) == 5


def test_small_row_groups_are_merged_now_and_then(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sync leaves one; with thousands of them, every question would take longer than with one."""
    monkeypatch.setattr(store, "COMPACT_EVERY", 4)
    groups = []
    for price in range(1, 9):
        registry.minute(contract("AUSDTM", markPrice=price))
        [(count,)] = registry.query(
            "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('registry.token_snapshots')"
        )
        groups.append(count)
    assert groups == [1, 2, 3, 1, 2, 3, 4, 1]
