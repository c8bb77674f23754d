"""What people see of numbers: phases, three significant digits, and nothing that Dagster would plot as a flat line."""

from __future__ import annotations

import re
from typing import Any

import dagster as dg
import pytest

from lcw_assets.defs.monitoring.causes import PHASES
from lcw_assets.orchestration.dagster_private import RANGE_END_TAG, RANGE_START_TAG
from lcw_assets.rounding import rounded
from lcw_assets.settings import load_settings
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import checks, logs, materialized

# The numbers of each check. Whatever is a limit is in words.
NUMBERS = {
    "raw/credits:enough_for_today": {"credits_left", "cycles_left_today"},
    "market/coins:no_gap_or_repeat": {"received", "absent", "repeated"},
    "market/coins:fresh": {"age_s"},
    "market/exchanges:fresh": {"age_s"},
    "market/overview_ticks:fresh": {"age_s"},
    "ops/cycles:cycle_time": {"cycle_s"},
    "ops/cycles:sla_1h": {"cycles", "p95", "p99", "mean", "share over 60 s", "complete", "error rate"},
    "ops/cycles:sla_72h": {"cycles", "p95", "p99", "mean", "share over 60 s", "complete", "error rate"},
    "registry/tokens:no_mass_delisting": {"contracts", "missing", "listed"},
    "registry/tokens:fresh": {"age_s"},
    "ops/syncs:sync_time": {"load_s"},
    "ops/syncs:failure_rate": {"failed", "loads"},
    "history/overview_daily:all_answered": {"unknown_coins"},
    "ops/gaps:no_gaps": {"gaps", "calls_to_fill"},
}


@pytest.fixture
def done(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    start_simulator: StartSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, dg.ExecuteInProcessResult]:
    """A run of each kind of job, on one installation."""
    monkeypatch.setenv("LCW_COINS", "100")
    monkeypatch.setenv("LCW_BURST", "1000")
    address = start_simulator()[1]
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", address)
    days = {RANGE_START_TAG: "2025-12-01", RANGE_END_TAG: "2025-12-31"}
    tags = {"backfill_overview_daily": days, "performance_day": {"dagster/partition": "2026-01-01"}}
    jobs = ("fetch_cycle", "token_registry_sync", "backfill_overview_daily", "derive", "performance_report",
            "performance_day")  # fmt: skip
    found = {}
    for name in jobs:
        job = definitions.resolve_job_def(name)
        found[name] = job.execute_in_process(instance=instance, tags=tags.get(name))
    return found


def numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in values.items() if isinstance(value, int | float)}


def test_numbers_have_three_significant_digits_and_limits_are_words(
    done: dict[str, dg.ExecuteInProcessResult], instance: dg.DagsterInstance
) -> None:
    found: dict[str, set[str]] = {}
    for result in done.values():
        for asset, values in materialized(result).items():
            for name, value in numbers(values).items():
                assert value == rounded(value), f"{asset} {name}: {value}"
        for check, evaluation in checks(result).items():
            shown = numbers({name: value.value for name, value in evaluation.metadata.items()})
            found[check] = set(shown)
            for name, value in shown.items():
                assert value == rounded(value), f"{check} {name}: {value}"
            for digits in re.findall(r"[\d,]+\.\d+", evaluation.description or ""):
                assert len(digits.replace(",", "").replace(".", "").lstrip("0")) <= 3, evaluation.description
        for line in logs(instance, result):
            for digits in re.findall(r"(?<![\w.:/-])(\d+\.\d+) s\b", line):
                assert len(digits.replace(".", "").lstrip("0")) <= 3, line
    assert {check: names for check, names in found.items() if names} == NUMBERS


def test_a_cycle_shows_where_its_seconds_went(done: dict[str, dg.ExecuteInProcessResult]) -> None:
    shown = materialized(done["fetch_cycle"])["ops/cycles"]
    with open_database(load_settings().database, read_only=True) as db:
        row = db.execute(f"SELECT {', '.join(PHASES)} FROM ops.cycles").fetchall()[0]
    assert [shown[name] for name in PHASES] == [rounded(value) for value in row]
    assert set(numbers(shown)) == {
        "dagster/row_count", "cycle_s", *PHASES, "calls", "retries", "hedges", "bytes", "missing",
        "older_loads_stored",
    }  # fmt: skip


def test_a_table_says_what_is_new_in_it_and_nothing_of_the_cycle(
    done: dict[str, dg.ExecuteInProcessResult],
) -> None:
    found = materialized(done["fetch_cycle"])
    latest = {"dagster/row_count", "rows_seen", "rows_changed", "rows_unchanged", "rows_quarantined", "seconds"}
    assert set(numbers(found["market/coins"])) == set(numbers(found["market/exchanges"])) == latest
    added = {"dagster/row_count", "rows_added", "seconds"}
    for table in ("market/coin_ticks", "market/exchange_ticks", "ops/calls"):
        assert set(numbers(found[table])) == added
    assert set(numbers(found["market/overview_ticks"])) == {*added, "rows_quarantined"}


def test_a_report_plots_what_it_measured(done: dict[str, dg.ExecuteInProcessResult]) -> None:
    found = materialized(done["performance_report"])
    assert set(numbers(found["reports/slow_cycles"])) == {"dagster/row_count", "rows_added"}
    assert found["reports/slow_cycles"]["slow"] == "over 30 s"
    assert {"mean_s", "p99_s", "error_rate", "minutes_without_a_cycle"} <= set(
        numbers(found["reports/performance_72h"])
    )
    assert materialized(done["performance_day"])["reports/performance_daily"]["days"] == "2026-01-01"
