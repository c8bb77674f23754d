"""Backfills as Dagster runs them: days, metadata, checks, the dry run, and what is said of what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest

from lcw_assets.defs.history import backfill as backfill_module
from lcw_assets.defs.history.definitions import SCHEMA
from lcw_assets.defs.history.sensors import filled
from lcw_assets.defs.history.series import SERIES
from lcw_assets.orchestration.backfills import resumed
from lcw_assets.orchestration.dagster_private import RANGE_END_TAG, RANGE_START_TAG
from lcw_assets.settings import DataSettings, load_settings
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import failure
from lcw_assets_tests.holders import Clock, held_open, waits_by

Backfill = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def _unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_BURST", "1000")
    monkeypatch.setenv("LCW_TRACKED_COINS", "BTC,ETH")


@pytest.fixture
def backfill(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Backfill:
    def run(
        series: str, first: str, last: str | None = None, tags: dict[str, str] | None = None, **config: Any
    ) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def(f"backfill_{series}")
        return job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={RANGE_START_TAG: first, RANGE_END_TAG: last or first, **(tags or {})},
            run_config={"ops": {series: {"config": config}}},
        )

    return run


def query(sql: str) -> list[tuple[Any, ...]]:
    with open_database(DataSettings().database) as db:
        return db.execute(sql).fetchall()


def days(instance: dg.DagsterInstance, series: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(["history", series])))


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [first, *_] = result.asset_materializations_for_node(result.job_def.nodes[0].name)
    return {name: value.value for name, value in first.metadata.items()}


def ended_at(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> datetime:
    """When a run ended: what it did it did on that day, whatever day it is by now."""
    [record] = instance.get_run_records(dg.RunsFilter(run_ids=[result.run_id]))
    return record.update_timestamp


def said(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(entry.user_message for entry in instance.all_logs(result.run_id))


def test_a_range_is_one_run_that_says_what_it_cost(
    backfill: Backfill, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    result = backfill("coin_daily", "2025-09-01", "2025-12-31")
    assert result.success
    assert len(days(instance, "coin_daily")) == 122
    told = metadata(result)
    assert (told["calls_planned"], told["calls"], told["coins"], told["days_complete"]) == (4, 4, 2, 122)
    assert told["points"] == told["points_new"] >= 240
    assert told["credits_left"] == 9_995
    plan = (
        "plan: history.coin_daily, 2 coins, 122 days from 2025-09-01: 4 calls, as many credits, 1 s at 5 calls a second"
    )
    assert plan in said(instance, result)
    assert "4 of 4 calls" in said(instance, result)
    [check] = result.get_asset_check_evaluations()
    assert check.passed
    again = backfill("coin_daily", "2025-09-01", "2025-12-31")
    assert metadata(again)["calls"] == 0
    assert "all of it was asked for before, nothing is to do" in said(instance, again)


def test_what_was_there_is_requested_again_with_refresh(
    backfill: Backfill, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    backfill("overview_daily", "2025-12-01", "2025-12-31")
    assert metadata(backfill("overview_daily", "2025-12-01", "2025-12-31", refresh=True))["calls"] == 1


def test_a_dry_run_says_the_plan_and_requests_nothing(
    backfill: Backfill, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator()
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("LCW_TRACKED_COINS", ",".join(f"C{number}" for number in range(1000)))
    result = backfill("coin_daily", "2025-01-01", "2025-12-31", dry_run=True)
    assert result.success
    assert "1,000 coins, 365 days from 2025-01-01: 4,000 calls, as many credits, 13 min" in said(instance, result)
    assert simulator.ledger.entries == ()
    assert days(instance, "coin_daily") == set()


def test_an_unknown_coin_is_named_and_the_rest_is_done(
    backfill: Backfill, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    monkeypatch.setenv("LCW_TRACKED_COINS", "BTC NOSUCH")
    result = backfill("coin_hourly", "2025-12-30", "2025-12-31")
    assert result.success
    [check] = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.description == "Live Coin Watch knows no coin NOSUCH: see LCW_TRACKED_COINS"
    assert metadata(result)["unknown_coins"] == "NOSUCH"
    assert len(days(instance, "coin_hourly")) == 2
    assert query("SELECT DISTINCT code FROM history.coin_hourly") == [("BTC",)]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"LCW_TRACKED_COINS": "top:100"}, "no coin is known yet, so none is on top: run a cycle first"),
        (
            {"LCW_TRACKED_COINS": "file:/none"},
            "LCW_TRACKED_COINS=file:/none: /none cannot be read: No such file or directory",
        ),
        ({"LCW_CREDIT_RESERVE": "-1"}, "LCW_CREDIT_RESERVE=-1 is out of range"),
        ({"LCW_BASE_URL": "http://127.0.0.1:9"}, "how many credits are left is not known, so none are spent: "),
    ],
)
def test_what_cannot_be_says_why_and_what_to_do(
    backfill: Backfill, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LCW_MAX_IN_FLIGHT", "16")
    monkeypatch.setattr(backfill_module, "_CALL_S", 3.0)  # for who is not there; usually two minutes
    coins = {} if "LCW_TRACKED_COINS" in variables else {"coins": " ".join(f"C{number}" for number in range(20))}
    result = backfill("coin_daily", "2025-12-31", **coins)
    assert not result.success
    assert says in failure(result)


def test_a_day_that_is_not_over_is_refused(backfill: Backfill) -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)  # also if it is tomorrow by the time that this is run
    assert not backfill("coin_daily", f"{tomorrow:%Y-%m-%d}").success


def test_a_run_without_days_says_that_it_needs_some(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    job = definitions.resolve_job_def("backfill_coin_daily")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert failure(result) == "history/coin_daily is filled by days: name a partition or a range"


def test_other_coins_than_the_tracked_ones_mark_no_day_as_done(
    backfill: Backfill, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    result = backfill("coin_daily", "2025-12-01", "2025-12-31", coins="DOGE")
    assert result.success
    assert query("SELECT DISTINCT code FROM history.coin_daily") == [("DOGE",)]
    assert days(instance, "coin_daily") == set()
    assert "not all days are marked: 0 days are complete" in said(instance, result)


@pytest.mark.parametrize("variables", [{"LCW_TRACKED_COINS": "btc,eth"}, {"LCW_CURRENCY": "XYZ"}])
def test_a_wrong_name_for_all_of_them_fails_and_marks_nothing(
    backfill: Backfill,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for series in ("coin_daily", "overview_daily") if "LCW_CURRENCY" in variables else ("coin_daily",):
        result = backfill(series, "2025-12-01", "2025-12-31")
        assert not result.success
        assert days(instance, series) == set()
        [check] = result.get_asset_check_evaluations()  # or that of a backfill before it would stand
        assert not check.passed
        assert (check.description or "").partition(";")[0] in failure(result)


def test_a_database_that_stays_locked_marks_nothing_and_loses_nothing(
    backfill: Backfill, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody opens it while the calls are made, and keeps it open for longer than the run can wait."""
    holding, held = ExitStack(), list[bool]()

    def takes_the_database(draw: Draw) -> Fault:
        if draw.endpoint != "credits" and not held:
            held.append(True)
            holding.enter_context(held_open(DataSettings().database))
        return Fault()

    waits_by(monkeypatch, Clock())
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(profile=takes_the_database)[1])
    with holding:
        result = backfill("coin_daily", "2025-12-01", "2025-12-31", tags={"dagster/max_runtime": "100"})
    assert not result.success
    assert "is held open by" in failure(result)
    assert f"What was answered waits in {load_settings().of(LCW).history_spool_dir}" in failure(result)
    assert days(instance, "coin_daily") == set()
    again = backfill("coin_daily", "2025-12-01", "2025-12-31")
    assert again.success
    assert metadata(again)["calls"] == 0
    assert len(days(instance, "coin_daily")) == 31


def test_a_refresh_that_is_gone_on_with_does_not_begin_again(
    backfill: Backfill, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    backfill("coin_daily", "2025-01-01", "2025-12-31")
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(credits_per_day=25)[1])
    monkeypatch.setenv("LCW_CREDIT_RESERVE", "20")
    stopped = backfill("coin_daily", "2025-01-01", "2025-12-31", refresh=True)
    [request] = resumed(instance, SERIES, SCHEMA, ended_at(instance, stopped) + timedelta(days=1))
    config = request.run_config["ops"]["coin_daily"]["config"]
    (DataSettings().data_dir / "limits" / "simulator-credits").unlink()  # the next day
    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    on = backfill("coin_daily", "2025-01-01", "2025-12-31", **config)
    assert metadata(on)["calls"] == 8 - 4


def test_when_credits_are_low_it_stops_and_goes_on_after_midnight(
    backfill: Backfill, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(credits_per_day=25)[1])
    monkeypatch.setenv("LCW_CREDIT_RESERVE", "20")
    result = backfill("coin_daily", "2025-01-01", "2025-12-31")
    assert result.success  # that is no failure: nobody has to mend anything
    done = days(instance, "coin_daily")
    assert (len(done), min(done), max(done)) == (200, "2025-06-15", "2025-12-31")  # two windows of both coins
    [check] = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.description == "20 credits are left today, and 20 are kept (LCW_CREDIT_RESERVE)"
    assert "the sensor resume_backfills does that after 00:00 UTC" in said(instance, result)

    today = ended_at(instance, result)
    assert list(resumed(instance, SERIES, SCHEMA, today)) == []  # not on the same day
    tomorrow = today + timedelta(days=1)
    [request] = resumed(instance, SERIES, SCHEMA, tomorrow)
    assert request.job_name == "backfill_coin_daily"
    assert request.run_key == f"resume-coin_daily-{result.run_id}"
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == ("2025-01-01", "2025-12-31")
    assert list(resumed(instance, SERIES, SCHEMA, tomorrow + timedelta(days=30))) == []

    monkeypatch.setenv("LCW_BASE_URL", start_simulator()[1])
    (DataSettings().data_dir / "limits" / "simulator-credits").unlink()  # as the next day does
    resumed_run = backfill("coin_daily", request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG])
    assert metadata(resumed_run)["calls"] == 8 - 4
    assert len(days(instance, "coin_daily")) == 365


def test_gaps_are_filled_within_the_credits_of_a_day(
    backfill: Backfill,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LCW_BASE_URL", start_simulator(clock=lambda: datetime.now(timezone.utc))[1])
    begun = datetime.now(timezone.utc) - timedelta(days=30)
    backfill("coin_hourly", f"{begun:%Y-%m-%d}")
    derive = definitions.resolve_job_def("derive").execute_in_process(instance=instance)
    [check] = [one for one in derive.get_asset_check_evaluations() if one.check_name == "no_gaps"]
    assert not check.passed
    assert "history.coin_hourly from" in (check.description or "")
    [(calls, now)] = query("SELECT sum(calls), any_value(found_at) FROM ops.gaps")
    final = (now - timedelta(hours=25, days=1)).strftime("%Y-%m-%d")  # as of when gaps were searched

    request = filled(instance, load_settings(), now)
    assert isinstance(request, dg.RunRequest)
    assert request.job_name == "backfill_coin_hourly"
    assert request.tags[RANGE_END_TAG] == final
    assert int(request.tags["lcw/credits"]) == calls

    short = filled(instance, load_settings(LCW_GAP_CREDITS=calls // 2), now)
    assert isinstance(short, dg.RunRequest)
    assert short.tags[RANGE_END_TAG] == final  # the newest days
    assert 0 < int(short.tags["lcw/credits"]) <= calls // 2
    one = filled(instance, load_settings(LCW_GAP_CREDITS=1), now)  # not enough for a day of both coins
    assert isinstance(one, dg.RunRequest)
    assert one.run_config["ops"]["coin_hourly"]["config"] == {"begins": True, "coins": "BTC"}
    none = filled(instance, load_settings(LCW_GAP_CREDITS=0), now)
    assert isinstance(none, dg.SkipReason)
    assert "no gap that 0 credits of LCW_GAP_CREDITS=0 can fill" in (none.skip_message or "")

    job = definitions.resolve_job_def("backfill_coin_hourly")
    assert job.execute_in_process(instance=instance, tags=request.tags).success
    again = filled(instance, load_settings(), now)  # before gaps are searched again
    assert isinstance(again, dg.SkipReason)
    definitions.resolve_job_def("derive").execute_in_process(instance=instance)
    # A day may have become final since.
    assert query(f"SELECT * FROM ops.gaps WHERE gap_start <= '{final}'") == []


def test_bars_are_built_from_the_ticks_of_a_cycle(
    run_cycle: Callable[..., dg.ExecuteInProcessResult],
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LCW_COINS", "100")
    run_cycle()
    result = definitions.resolve_job_def("derive").execute_in_process(instance=instance)
    assert result.success
    assert query("SELECT minutes, count(*) FROM market.coin_bars GROUP BY 1 ORDER BY 1") == [
        (minutes, 100) for minutes in (1, 5, 60, 1440)
    ]
    assert query("SELECT count(*) FROM market.as_of(now())") == [(100,)]


def test_backfills_never_take_the_cycles_place_in_the_queue(definitions: dg.Definitions) -> None:
    """`dagster job backfill` queues a run a day: dagster.yaml limits those with this tag."""
    for series in ("coin_daily", "overview_5min"):
        assert definitions.resolve_job_def(f"backfill_{series}").tags["lcw/history"] == series
