"""Merges: ticks only for changes, latest rows always the latest, in any order of arrival."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from lcw_assets.warehouse.schema import migrate
from lcw_assets.warehouse.tables import Merged, Page, append, append_changed, merge, transaction, update
from lcw_assets_tests.defs.monitoring.facts import database

START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


@pytest.fixture
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        migrate(db)
        yield db


def coins(
    db: duckdb.DuckDBPyConnection, at: int, rows: list[dict[str, Any]], currency: str = "USD", described: bool = False
) -> Merged:
    pages = [Page(json.dumps(rows), len(rows), minute(at), described)] if rows else []
    return merge(
        db,
        "market.coins",
        "market.coin_ticks",
        pages,
        currency=currency,
        cycle_id=f"c{at}",
        not_after=minute(1000),
    )


def ticks(db: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT code, observed_at, rate FROM market.coin_ticks ORDER BY code, observed_at").fetchall()


def latest(db: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return db.execute("SELECT code, rate, observed_at, changed_at FROM market.coins ORDER BY code").fetchall()


def test_a_tick_only_where_a_value_changed(db: duckdb.DuckDBPyConnection) -> None:
    assert coins(db, 0, [{"code": "A", "rate": 1.0}, {"code": "B", "rate": 1.0}]) == Merged(2, 2)
    assert coins(db, 1, [{"code": "A", "rate": 1.0}, {"code": "B", "rate": 2.0}]) == Merged(2, 1)
    assert coins(db, 2, [{"code": "A", "rate": 1.0}, {"code": "B", "rate": 2.0}]) == Merged(2, 0)
    assert ticks(db) == [("A", minute(0), 1.0), ("B", minute(0), 1.0), ("B", minute(1), 2.0)]
    assert latest(db) == [("A", 1.0, minute(2), minute(0)), ("B", 2.0, minute(2), minute(1))]


def test_null_is_a_value_like_others(db: duckdb.DuckDBPyConnection) -> None:
    coins(db, 0, [{"code": "A", "rate": 1.0, "cap": 5.0}])
    assert coins(db, 1, [{"code": "A", "rate": 1.0, "cap": None}]).changed == 1
    assert coins(db, 2, [{"code": "A", "rate": 1.0}]).changed == 0
    assert coins(db, 3, [{"code": "B"}]).changed == 1  # new, though all of its values are null


def test_what_describes_a_coin_makes_no_tick_and_stays_until_it_is_reported_again(
    db: duckdb.DuckDBPyConnection,
) -> None:
    old = {"name": "Old", "links": {"website": "x"}, "categories": ["meme", "defi"], "max_supply": 5.0}
    names = "SELECT name, links, categories, max_supply, changed_at FROM market.coins"
    coins(db, 0, [{"code": "A", "rate": 1.0, **old}], described=True)
    assert coins(db, 1, [{"code": "A", "rate": 1.0}]).changed == 0
    assert db.execute(names).fetchall() == [("Old", '{"website":"x"}', ["meme", "defi"], 5.0, minute(0))]
    assert coins(db, 2, [{"code": "A", "rate": 1.0, "name": "New"}], described=True).changed == 0
    assert db.execute(names).fetchall() == [("New", None, None, None, minute(0))]


def test_a_coin_that_is_not_answered_stays_as_it_was(db: duckdb.DuckDBPyConnection) -> None:
    coins(db, 0, [{"code": "A", "rate": 1.0}, {"code": "B", "rate": 1.0}])
    coins(db, 1, [{"code": "B", "rate": 1.0}])
    assert [(code, at) for code, _, at, _ in latest(db)] == [("A", minute(0)), ("B", minute(1))]


def test_currencies_are_apart(db: duckdb.DuckDBPyConnection) -> None:
    coins(db, 0, [{"code": "A", "rate": 1.0}])
    assert coins(db, 1, [{"code": "A", "rate": 0.9}], currency="EUR").changed == 1
    assert coins(db, 2, [{"code": "A", "rate": 1.0}]).changed == 0


def test_codes_are_never_parsed(db: duckdb.DuckDBPyConnection) -> None:
    codes = ["NAN", "TRUE", "00", "0xBTC", "O'NE", "null", "1e5", "a\\b", 'quo"te', "日本", "_" * 60]
    coins(db, 0, [{"code": code, "rate": 1.0} for code in codes])
    assert {code for code, *_ in latest(db)} == set(codes)


def test_nothing_answered_changes_nothing(db: duckdb.DuckDBPyConnection) -> None:
    assert coins(db, 0, []) == Merged(0, 0)


def test_a_late_row_leaves_the_latest_alone(db: duckdb.DuckDBPyConnection) -> None:
    coins(db, 0, [{"code": "A", "rate": 1.0}])
    coins(db, 5, [{"code": "A", "rate": 5.0}])
    assert coins(db, 3, [{"code": "A", "rate": 3.0}, {"code": "B", "rate": 3.0}]) == Merged(2, 1, late=1)
    assert ticks(db) == [("A", minute(0), 1.0), ("A", minute(5), 5.0), ("B", minute(3), 3.0)]
    assert latest(db)[0] == ("A", 5.0, minute(5), minute(5))


@pytest.mark.parametrize("rate", [3.0, 2.0])
def test_a_row_from_the_future_is_the_latest_no_longer_than_until_the_next(
    db: duckdb.DuckDBPyConnection, rate: float
) -> None:
    coins(db, 0, [{"code": "A", "rate": 1.0}])
    coins(db, 500_000, [{"code": "A", "rate": 2.0}])  # the clock was a year ahead
    for at in (1, 2):
        assert coins(db, at, [{"code": "A", "rate": rate}]).late == 0
    assert latest(db) == [("A", rate, minute(2), minute(1))]
    assert ticks(db) == [("A", minute(0), 1.0), ("A", minute(1), rate), ("A", minute(500_000), 2.0)]


values = st.one_of(st.none(), st.integers(0, 3).map(float))
observations = st.dictionaries(st.sampled_from("ABC"), values, max_size=3)


@settings(max_examples=40)
@given(st.lists(observations, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_ticks_give_back_what_was_seen_in_any_order_of_arrival(cycles: list[dict[str, Any]], random: Any) -> None:
    """As of any minute that was taken in, the tick before it has the value seen then; no tick repeats another."""
    order = list(range(len(cycles)))
    random.shuffle(order)
    with database() as db:
        for at in order:
            coins(db, at, [{"code": code, "rate": rate} for code, rate in cycles[at].items()])
        told = ticks(db)
        now = {code: (rate, at) for code, rate, at, _ in latest(db)}
    for code in "ABC":
        seen: list[tuple[datetime, Any]] = []
        for at in order:
            if code in cycles[at] and (not seen or minute(at) > seen[-1][0]):  # else it came too late
                seen.append((minute(at), cycles[at][code]))
        mine = [(at, rate) for tick, at, rate in told if tick == code]
        for moment, rate in seen:
            assert [value for at, value in mine if at <= moment][-1] == rate
        assert all(before[1] != after[1] for before, after in pairwise(mine))
        assert now.get(code) == (seen[-1][::-1] if seen else None)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=0), max_size=100))
@settings(max_examples=20)
def test_doubles_come_back_to_the_last_bit(values: list[float]) -> None:
    with database() as db:
        coins(db, 0, [{"code": f"{number:03}", "rate": value} for number, value in enumerate(values)])
        found = db.execute("SELECT rate FROM market.coins ORDER BY code").fetchall()
    assert found == [(value,) for value in values]


def test_one_row_a_cycle_makes_a_tick_only_when_it_changes(db: duckdb.DuckDBPyConnection) -> None:
    def overview(at: int, cap: float | None) -> Merged:
        row = {"cap": cap, "volume": 1.0, "liquidity": None, "btc_dominance": 0.5}
        return append_changed(
            db, "market.overview_ticks", row, observed_at=minute(at), currency="USD", cycle_id=f"c{at}"
        )

    changes = [overview(at, cap).changed for at, cap in enumerate([1.0, 1.0, 2.0, None, None, 2.0])]
    assert changes == [1, 0, 1, 1, 0, 1]
    assert db.execute("SELECT cap FROM market.overview_ticks ORDER BY observed_at").fetchall() == [
        (1.0,), (2.0,), (None,), (2.0,)
    ]  # fmt: skip


def test_long_texts_go_in_as_they_are(db: duckdb.DuckDBPyConnection) -> None:
    payloads = ['[{"a": "\\u20bf \\" \\\\"}]', "€" * 200_000, ""]
    row = {"cycle_id": "c", "source": "s", "endpoint": "e", "request": {"a": 1}, "http_status": 200}
    times = {"requested_at": minute(0).isoformat(), "received_at": minute(1).isoformat()}
    append(db, "raw.pulls", [{**row, **times, "payload": payload} for payload in payloads], long="payload")
    stored = db.execute("SELECT payload, request, received_at FROM raw.pulls").fetchall()
    assert stored == [(payload, '{"a":1}', minute(1)) for payload in payloads]


def test_a_transaction_is_whole_or_absent(db: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ZeroDivisionError), transaction(db):
        coins(db, 0, [{"code": "A", "rate": 1.0}])
        1 // 0  # noqa: B018
    assert latest(db) == ticks(db) == []


@pytest.mark.parametrize("count", [1, 2, 501])
def test_rows_are_the_same_whether_one_comes_or_many(db: duckdb.DuckDBPyConnection, count: int) -> None:
    now = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=timezone.utc)
    request = {"code": "O'NE", "list": [1, "x", None, {"deep": 2**70}], "rate": 1.5}
    row = {
        "cycle_id": "c", "source": "lcw", "endpoint": "status", "request": request, "started_at": now,
        "attempt": 1, "hedge": False, "waited_s": 0.1, "latency_s": 1e-7, "bytes": 5, "outcome": "ok",
    }  # fmt: skip
    append(db, "ops.calls", [row] * count)
    found = db.execute("SELECT request::VARCHAR, started_at, latency_s, error, count(*) FROM ops.calls GROUP BY ALL")
    assert found.fetchall() == [(to_json(request).decode(), now, 1e-7, None, count)]


def test_an_update_sets_what_it_names_and_nothing_else(db: duckdb.DuckDBPyConnection) -> None:
    alert = {
        "incident": "spool", "kind": "opened", "severity": "warning", "raised_at": START, "since": START,
        "what": "old", "delivered": [], "undelivered": ["mail"],
    }  # fmt: skip
    append(db, "ops.alerts", [{"alert_id": name, **alert} for name in ("a", "b", "c")])
    changed = [{"alert_id": name, "what": f"new {name}", "kind": "ignored"} for name in ("a", "c", "nobody")]
    update(db, "ops.alerts", changed, key="alert_id", columns=["what"])
    rows = db.execute("SELECT alert_id, what, kind FROM ops.alerts ORDER BY ALL").fetchall()
    assert rows == [("a", "new a", "opened"), ("b", "old", "opened"), ("c", "new c", "opened")]
