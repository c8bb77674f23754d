"""The job `fetch_cycle` as Dagster runs and shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lcw_assets.defs.market.load import CycleHooks
from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.defs.monitoring.causes import Usual
from lcw_assets.defs.monitoring.slow import read_slowest
from lcw_assets.ingest.fetch import Fetched
from lcw_assets.ingest.measures import Window
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG
from lcw_assets.settings import load_settings
from lcw_assets.simulator.faults import Fault
from lcw_assets.sources.lcw.records import Credits, read_records
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_cycle import faulty
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.loads import Lines

RunCycle = Callable[..., dg.ExecuteInProcessResult]

ASSETS = {
    "raw/status", "raw/credits", "raw/overview", "raw/coins", "raw/exchanges", "market/coins", "market/coin_ticks",
    "market/exchanges", "market/exchange_ticks", "market/overview_ticks", "ops/cycles", "ops/calls",
}  # fmt: skip

RAW = {key for key in ASSETS if key.startswith("raw/")}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "200")


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Metadata by asset."""
    found = {}
    for event in result.get_asset_materialization_events():
        materialization = event.materialization
        values = {name: value.value for name, value in materialization.metadata.items()}
        found[materialization.asset_key.to_user_string()] = values
    return found


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    return {f"{check.asset_key.to_user_string()}:{check.check_name}": check for check in found}


def logs(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[str]:
    """What the user sees at info level and above."""
    records = instance.all_logs(result.run_id)
    return [record.user_message for record in records if int(record.level) >= 20 and not record.is_dagster_event]


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    error = event.step_failure_data.error
    assert error is not None
    return error.message.removeprefix("dagster._core.definitions.events.Failure: ").strip()


def test_without_a_key_a_cycle_fills_the_demo_and_says_so(run_cycle: RunCycle, instance: dg.DagsterInstance) -> None:
    """The embedded simulator, in the run's own process."""
    result = run_cycle()
    assert result.success
    metadata = materialized(result)
    assert set(metadata) == ASSETS
    assert {values["source"] for values in metadata.values()} == {"simulator"}
    assert load_settings().database.name == "demo.duckdb"
    assert load_settings().database.exists()
    assert metadata["raw/coins"] | {"seconds": 0, "bytes": 0, "cycle_id": ""} == {
        "source": "simulator",
        "cycle_id": "",
        "entries": 200,
        "calls": 2,
        "calls_missing": 0,
        "retries": 0,
        "bytes": 0,
        "seconds": 0,
    }
    coins = metadata["market/coins"]
    assert coins["dagster/row_count"] == coins["rows_seen"] == coins["rows_changed"] == 200
    assert (coins["rows_unchanged"], coins["rows_quarantined"], coins["status"]) == (0, 0, "complete")
    assert coins["seconds"] > 0
    assert metadata["ops/cycles"]["bytes"] > 10_000
    assert all(check.passed for check in checks(result).values())
    assert len(checks(result)) == 13
    story = logs(instance, result)
    assert len(story) < 20
    assert any(re.fullmatch(r"coins/list page 2 of 2 in \d\.\d+ s", line) for line in story)
    assert any("complete: 200 coins seen, 200 changed" in line for line in story)


def test_what_a_run_has_just_spooled_is_neither_read_nor_decoded_again(
    run_cycle: RunCycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two megabytes a cycle, and each page is decoded once: as it comes."""
    reads: list[Path] = []
    monkeypatch.setattr(Spool, "read", lambda _spool, path: reads.append(path))
    decoded: list[int] = []

    def finish(_hooks: CycleHooks, _db: object, _stored: object) -> None:
        decoded.append(read_records.cache_info().misses)
        read_records.cache_clear()

    monkeypatch.setattr(CycleHooks, "finish", finish)
    read_records.cache_clear()
    assert run_cycle().success
    assert reads == []
    assert decoded == [2 + 1 + 2]  # pages of coins and exchanges; and overview and credits, which are one record each


def test_the_second_cycle_reports_its_counts_too(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    coins = materialized(run_cycle())["market/coins"]
    assert (coins["rows_seen"], coins["rows_changed"], coins["rows_unchanged"]) == (200, 0, 200)
    assert coins["dagster/row_count"] == 200


def test_a_partial_cycle_succeeds_and_its_checks_say_what_is_missing(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, address = start_simulator(profile=faulty("exchanges/list", Fault("error", status=400)))
    monkeypatch.setenv("LCW_BASE_URL", address)
    result = run_cycle()
    assert result.success
    failed = {name: check for name, check in checks(result).items() if not check.passed}
    # One cycle of one: the share of complete ones is 0 %, in the last hour and in the last 72. No exchange is known.
    assert set(failed) == {
        "ops/cycles:complete", "ops/cycles:sla_1h", "ops/cycles:sla_72h", "market/exchanges:fresh",
    }  # fmt: skip
    assert failed["market/exchanges:fresh"].description == "not fresh: there was never a response"
    assert failed["ops/cycles:complete"].severity == dg.AssetCheckSeverity.WARN
    assert "exchanges/list page 1 of 1: 400" in (failed["ops/cycles:complete"].description or "")
    assert materialized(result)["raw/exchanges"]["calls_missing"] == 1
    assert materialized(result)["ops/cycles"]["status"] == "partial"


def test_repeats_and_gaps_are_counted_in_a_check(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, address = start_simulator(profile=faulty("coins/list", Fault("repeated"), offset=100))
    monkeypatch.setenv("LCW_BASE_URL", address)
    check = checks(run_cycle())["market/coins:no_gap_or_repeat"]
    assert not check.passed
    assert (check.description or "").startswith("5 coins fell between pages and 5 stood in two: rank 196, rank 197")
    assert check.metadata["absent"].value == check.metadata["repeated"].value == 5


def test_credits_that_will_not_last_are_reported_in_time(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a cycle a minute, until midnight: how many that are depends on the hour."""
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(credits_per_day=40)[1])
    check = checks(run_cycle())["raw/credits:enough_for_today"]
    told = {name: int(str(value.value)) for name, value in check.metadata.items()}
    assert set(told) == {"credits_left", "cycles_left_today"}
    assert 30 < told["credits_left"] < 40
    assert 0 <= told["cycles_left_today"] < 24 * 60
    assert check.passed == (told["credits_left"] >= 5 * told["cycles_left_today"])
    says = f"{told['credits_left']} of 40 credits are left; {told['cycles_left_today']:,} cycles of 5 calls"
    assert (says in (check.description or "")) != check.passed


@pytest.mark.parametrize(
    ("hour", "minute", "left", "passed"),
    [(0, 0, 7200, True), (0, 0, 7199, False), (12, 0, 3600, True), (12, 0, 3599, False), (23, 58, 9, False),
     (23, 58, 10, True), (23, 59, 5, True), (23, 59, 4, False)],
)  # fmt: skip
def test_credits_have_to_last_until_midnight(hour: int, minute: int, left: int, passed: bool) -> None:
    now = datetime(2028, 2, 29, hour, minute, tzinfo=timezone.utc)
    calls = plan_cycle(coins=200, exchanges=100, currency="USD", meta=True)
    hooks = CycleHooks(load_settings(), Lines(), now)
    assert list(hooks.fetch_findings(Fetched(calls), len(calls))) == []  # as LCW did not say how many there are
    hooks.credits = Credits(remaining=left, limit=10_000)
    [finding] = hooks.fetch_findings(Fetched(calls), len(calls))
    assert finding.passed == passed
    assert ("lower LCW_COINS" in finding.wrong) != passed


def test_a_fetch_whose_responses_have_no_entry_says_so() -> None:
    calls = plan_cycle(coins=200, exchanges=100, currency="USD", meta=True)
    assert Fetched(calls).reason == "no response had an entry"


def test_spent_credits_fail_the_cycle_in_one_line(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, address = start_simulator(credits_per_day=0)
    monkeypatch.setenv("LCW_BASE_URL", address)
    result = run_cycle()
    assert not result.success
    assert "today's credits are used up" in failure(result)


def test_a_failed_cycle_leaves_its_facts(run_cycle: RunCycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("LCW_CYCLE_DEADLINE_S", "5")  # it tries for 9 s otherwise
    result = run_cycle()
    assert not result.success
    assert failure(result) == "nothing was answered: http://127.0.0.1:1 refuses connections"
    with open_database(load_settings().database, read_only=True) as db:
        [(status, calls)] = db.execute("SELECT status, calls FROM ops.cycles").fetchall()
        assert status == "failed"
        # In words for people, and as codes for whatever reads them.
        [(words, codes)] = db.execute("SELECT missing, detail ->> 'missing_calls' FROM ops.loads").fetchall()
        assert "status: http://127.0.0.1:1 refuses connections" in words
        assert [f"{one['call']}: {one['reason']}" for one in json.loads(codes)] == words
        assert {one["code"] for one in json.loads(codes)} == {"connection"}
        assert db.execute("SELECT count(*) FROM ops.calls WHERE outcome = 'connection'").fetchall() == [(calls,)]


def test_a_locked_database_is_no_failure_and_the_next_cycle_stores_both(
    run_cycle: RunCycle, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    run_cycle()
    with held_open(load_settings().database) as holder:
        result = run_cycle()
        assert result.success
        assert set(materialized(result)) == RAW
        [line] = [line for line in logs(instance, result) if line.startswith("spooled: ")]
        assert f"(process {holder.pid})" in line
        assert f"Waiting in {load_settings().of(LCW).spool_dir}: 1;" in line
    metadata = materialized(run_cycle())
    assert metadata["ops/cycles"]["dagster/row_count"] == 3
    assert metadata["ops/cycles"]["older_loads_stored"] == 1
    # Who it was is a fact of the cycle that was locked out, and so the report can name them.
    with open_database(load_settings().database, read_only=True) as db:
        waits = db.execute(
            "SELECT run_id, pid, opened, waited_s > 1, starts_with(holder, '/') "
            "FROM ops.lock_waits JOIN ops.cycles ON load_id = cycle_id WHERE NOT opened"
        ).fetchall()
        [cause] = [
            str(slow.cause)
            for slow in read_slowest(db, Window.before(datetime.now(timezone.utc), 1), over_s=0, most=9, usual=Usual())
            if slow.run_id == result.run_id
        ]
    assert waits == [(result.run_id, holder.pid, False, True, True)]
    assert f"(process {holder.pid}) when it was to be stored" in cause


def test_a_database_that_cannot_be_used_fails_the_store_and_keeps_the_responses(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    database = load_settings().database
    database.parent.mkdir(parents=True)
    database.write_bytes(b"no database" * 5000)
    result = run_cycle()
    assert not result.success
    assert failure(result).startswith(f"{database} is not a readable DuckDB file: move it away")
    assert f"Nothing is lost: it waits in {load_settings().of(LCW).spool_dir}" in failure(result)
    database.unlink()
    assert materialized(run_cycle())["ops/cycles"]["older_loads_stored"] == 1


def test_a_folder_that_cannot_be_written_to_costs_no_credit(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("LCW_DATA_DIR", "/proc/lcw")
    result = run_cycle()
    assert "/proc/lcw/spool/simulator takes no responses" in failure(result)
    assert simulator.ledger.entries == ()


@pytest.fixture
def run_part(definitions: dg.Definitions, instance: dg.DagsterInstance) -> RunCycle:
    """What the UI's "Materialize selected" does."""

    def run(*keys: str) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("fetch_cycle")
        part = job.get_subset(asset_selection={dg.AssetKey(key.split("/")) for key in keys})
        return part.execute_in_process(instance=instance)

    return run


def test_a_part_can_be_materialized_alone(
    run_part: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is needed is fetched."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    result = run_part("raw/overview", "market/overview_ticks")
    assert set(materialized(result)) == {"raw/overview", "market/overview_ticks"}
    assert set(checks(result)) == {"market/overview_ticks:fresh"}
    assert [entry.endpoint for entry in simulator.ledger.entries] == ["overview"]


def test_raw_assets_alone_are_only_fetched_and_tables_alone_only_stored(
    run_part: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    assert set(materialized(run_part("raw/overview", "raw/coins"))) == {"raw/overview", "raw/coins"}
    assert len(list(load_settings().of(LCW).spool_dir.glob("*.jsonl"))) == 1
    assert not load_settings().database.exists()
    requests = len(simulator.ledger.entries)
    assert requests == 3  # two pages of coins
    # Of what it stores, another run's, this one says nothing.
    assert materialized(run_part("market/coins", "market/exchanges", "ops/cycles")) == {}
    assert len(simulator.ledger.entries) == requests
    assert list(load_settings().of(LCW).spool_dir.glob("*.jsonl")) == []
    with open_database(load_settings().database, read_only=True) as db:
        assert db.execute("SELECT status, coins_seen, calls FROM ops.cycles").fetchall() == [("complete", 200, 3)]
        assert db.execute("SELECT count(*) FROM market.overview_ticks").fetchall() == [(1,)]


def test_settings_out_of_range_fail_in_one_line(run_cycle: RunCycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "0")
    assert failure(run_cycle()) == "LCW_COINS=0 is out of range: it must be a number from 1 to 50000"


def test_a_scheduled_cycle_counts_from_its_tick(
    run_cycle: RunCycle, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    tick = datetime.now(timezone.utc) - timedelta(seconds=20)
    run_cycle(tags={SCHEDULED_AT_TAG: tick.isoformat()})
    run_cycle(tags={SCHEDULED_AT_TAG: (tick - timedelta(hours=1)).isoformat()})
    with open_database(load_settings().database, read_only=True) as db:
        rows = db.execute("SELECT scheduled_at, late_tick, cycle_s FROM ops.cycles ORDER BY scheduled_at").fetchall()
    (_, missed_is_late, missed_s), (scheduled_at, is_late, cycle_s) = rows
    assert (scheduled_at, is_late) == (tick, False)
    assert cycle_s > 20
    assert missed_is_late
    assert missed_s < 3600 - 20


def test_what_nobody_foresaw_is_tried_once_more(
    run_cycle: RunCycle, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that somebody dropped: the step fails, is tried again, and what came stays where it is, paid for once."""
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    run_cycle()
    with open_database(load_settings().database) as db:
        db.execute("DROP TABLE market.exchange_ticks")
    result = run_cycle()
    assert not result.success
    kinds = [event.event_type for event in result.all_events if event.step_key == "cycle"]
    assert kinds.count(dg.DagsterEventType.STEP_UP_FOR_RETRY) == 1
    assert len(simulator.ledger.entries) == 12
    assert set(materialized(result)) == RAW  # said of what was fetched, and once
    assert len(list(Path(load_settings().of(LCW).spool_dir).glob("*.jsonl"))) == 1
