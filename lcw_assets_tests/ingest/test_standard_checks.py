"""The checks that every load has, each in the state in which it has to fail; the time is passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from lcw_assets.defs.registry.definitions import token_registry_sync
from lcw_assets.ingest.declaration import LoadDeclaration
from lcw_assets.ingest.hooks import Outcome, StoredLoad, TableState
from lcw_assets.ingest.standard_checks import count_recent, load_findings, read_tables, table_findings
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.tables import CLOCKS_DIFFER, append_row
from lcw_assets_tests.defs.registry.syncs import Registry, contract

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
GOOD = {"registry.tokens": TableState(2, confirmed_at=NOON)}
TOKENS = token_registry_sync.tables[0]


def wrong(
    row: Mapping[str, Any] | None = None,
    *,
    state: TableState = GOOD["registry.tokens"],
    recent: tuple[int, int] = (60, 0),
    now: datetime = NOON,
    declaration: LoadDeclaration = token_registry_sync,
) -> dict[str, str]:
    """What the checks say that fail, of a load that is good but for this."""
    usual = {"status": "complete", "missing": [], "load_s": 1.0}
    stored = StoredLoad(Registry.sync(NOON), {**usual, **(row or {})}, Outcome())
    tables = dict.fromkeys((table.name for table in declaration.tables), state)
    found = [*table_findings(declaration, tables), *load_findings(declaration, stored, tables, recent, now)]
    assert {finding.check for finding in found} >= {"keys_unique", "fresh", "complete", "load_time", "failure_rate"}
    return {f"{finding.asset}:{finding.check}": finding.wrong for finding in found if not finding.passed}


def test_with_a_good_load_nothing_is_wrong() -> None:
    assert wrong() == {}


def test_what_is_missing_is_named() -> None:
    row = {"status": "partial", "missing": ["page 1: timed out", "page 2: <b>busy</b>"]}
    said = "partial, missing: page 1: timed out, `page 2: <b>busy</b>`"
    assert wrong(row) == {"ops/syncs:complete": said}


@pytest.mark.parametrize(
    ("seconds", "says"), [(180, None), (181, "the latest response is over 180 s old: 181 s"), (-90, None)]
)
def test_rows_are_fresh_for_as_long_as_is_declared(seconds: float, says: str | None) -> None:
    found = wrong(now=NOON + timedelta(seconds=seconds))
    assert found == ({"registry/tokens:fresh": says} if says else {})
    assert (wrong(now=NOON + timedelta(seconds=181), declaration=replace(token_registry_sync, stale_after_s=181))) == {}


def test_what_nothing_confirmed_is_not_fresh() -> None:
    assert wrong(state=TableState(0)) == {"registry/tokens:fresh": "not fresh: there was never a response"}
    said = "not fresh: no response of the last day, by this machine's clock"
    assert wrong(state=TableState(3)) == {"registry/tokens:fresh": said}


def test_keys_that_stand_twice_and_values_below_zero_are_named() -> None:
    values = replace(token_registry_sync, tables=(replace(TOKENS, not_negative=("mark_price",)),))
    state = TableState(5, duplicates=2, negative=["A", "<B>"], confirmed_at=NOON)
    assert wrong(state=state, declaration=values) == {
        "registry/tokens:keys_unique": "2 rows too many",
        "registry/tokens:values_in_range": "2 rows have values below zero: A, `<B>`",
    }


@pytest.mark.parametrize(("seconds", "says"), [(10.0, None), (10.1, "10.1 s from tick to commit, over 10 s")])
def test_a_load_that_took_too_long_is_reported(seconds: float, says: str | None) -> None:
    assert wrong({"load_s": seconds}) == ({"ops/syncs:load_time": says} if says else {})


@pytest.mark.parametrize(("failed", "passed"), [(2, True), (3, False)])
def test_one_load_in_twenty_that_fails_is_too_many(failed: int, passed: bool) -> None:
    said = {"ops/syncs:failure_rate": "3 of the last hour's 60 loads failed (5.00 %)"}
    assert wrong(recent=(60, failed)) == ({} if passed else said)


# What they are made from, read from a real database.


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path)
    registry.minute(contract("AUSDTM", markPrice=-1), contract("BUSDTM"))
    return registry


def state(registry: Registry, **declared: Any) -> TableState:
    with open_database(registry.database) as db:
        declaration = replace(token_registry_sync, tables=(replace(TOKENS, **declared),))
        return read_tables(db, declaration, lambda *_: None, registry.now)["registry.tokens"]


def test_a_table_is_read_as_far_as_it_declares_something(registry: Registry) -> None:
    every = {"unique": ("symbol",), "not_negative": ("mark_price", "max_leverage"), "fresh_by": "last_seen"}
    assert state(registry, **every) == TableState(2, 0, ["AUSDTM"], registry.now)
    assert state(registry, unique=(), fresh_by=None) == TableState(2)
    with open_database(registry.database) as db:
        db.execute("INSERT INTO registry.tokens FROM registry.tokens LIMIT 1")
        db.execute("UPDATE registry.tokens SET last_seen = $1", [registry.now + CLOCKS_DIFFER + timedelta(seconds=1)])
    assert state(registry).duplicates == 1
    assert state(registry).confirmed_at is None  # of a clock that was ahead
    assert state(registry, unique=("symbol", "status", "first_seen")).duplicates == 1


def test_failures_are_those_of_this_job_in_the_last_hour(registry: Registry) -> None:
    with open_database(registry.database) as db:
        found = db.execute("SELECT * EXCLUDE (detail) FROM ops.loads")
        row = dict(zip([name for name, *_ in found.description], found.fetchall()[0], strict=True))
        for number, (kind, minutes, status) in enumerate(
            [
                ("token_registry_sync", 59, "failed"),
                ("token_registry_sync", 61, "failed"),
                ("token_registry_sync", -60, "failed"),
                ("fetch_cycle", 1, "failed"),
            ]
        ):
            values: dict[str, Any] = {"load_id": str(number), "kind": kind, "status": status}
            values["started_at"] = registry.now - timedelta(minutes=minutes)
            append_row(db, "ops.loads", row | {"detail": {}} | values)
        assert count_recent(db, "token_registry_sync", registry.now) == (2, 1)
