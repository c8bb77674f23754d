"""One contract beside what is known of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.defs.registry.compare import compare, delisted, shown, stored
from lcw_assets.defs.registry.staging import TERMS, KnownFields
from lcw_assets.sources.kucoin_futures.records import Contract

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
OPENED = NOON - timedelta(days=30)
FIELDS = KnownFields(frozenset({"first_open_date", "max_leverage", "source_exchanges", "is_inverse"}))


def record(**fields: Any) -> Contract:
    given = {"symbol": "XBTUSDTM", "status": "Open", "firstOpenDate": int(OPENED.timestamp() * 1000), **fields}
    return Contract.model_validate(given)


def known(**columns: Any) -> dict[str, Any]:
    row = {"symbol": "XBTUSDTM", "status": "active", "listed_at": OPENED, "delisted_at": None, "changed_at": OPENED}
    return row | {"exchange_status": "Open", **dict.fromkeys(TERMS), "first_open_date": OPENED} | columns


def events(*arguments: Any, at: datetime = NOON) -> list[tuple[Any, ...]]:
    changes = compare(*arguments, fields=FIELDS, observed_at=at).changes
    return [(one.event, one.field, one.old_value, one.new_value, one.happened_at) for one in changes]


def test_a_new_contract_is_listed_when_kucoin_opened_it() -> None:
    assert events(record(), None) == [("listed", "status", None, "active", OPENED)]
    assert events(record(firstOpenDate=None), None) == [("listed", "status", None, "active", NOON)]


def test_one_that_comes_back_is_listed_since_it_was_seen_again_or_since_it_opened_again() -> None:
    gone = known(status="delisted", delisted_at=NOON - timedelta(days=1))
    assert events(record(), gone) == [("relisted", "status", "delisted", "active", NOON)]
    again = NOON - timedelta(hours=2)
    back = compare(record(firstOpenDate=int(again.timestamp() * 1000)), gone, fields=FIELDS, observed_at=NOON)
    assert (back.row["listed_at"], back.row["delisted_at"], back.row["changed_at"]) == (again, None, NOON)


def test_a_contract_as_it_was_has_no_event_and_keeps_its_dates() -> None:
    same = compare(record(sourceExchanges=["b", "a"], maxLeverage="75.50"),
                   known(source_exchanges=["a", "b"], max_leverage=75.5), fields=FIELDS, observed_at=NOON)  # fmt: skip
    assert (same.changes, same.row["changed_at"], same.row["listed_at"]) == ([], OPENED, OPENED)


def test_what_no_contract_has_any_more_is_neither_compared_nor_written() -> None:
    kept = compare(record(), known(taker_fee_rate=0.0006), fields=FIELDS, observed_at=NOON)
    assert kept.changes == []
    assert "taker_fee_rate" not in kept.row


def test_a_status_that_is_not_told_is_the_one_before() -> None:
    assert events(record(status=""), known(status="paused")) == []
    assert (
        compare(record(status=None), known(status="paused"), fields=FIELDS, observed_at=NOON).row["status"] == "paused"
    )
    assert events(record(status="Delisted"), known()) == [("status_changed", "status", "active", "closed", NOON)]


def test_each_field_that_changed_is_an_event_with_both_values() -> None:
    changed = record(maxLeverage=1e-7, sourceExchanges=["b", "a"], isInverse=False)
    assert events(changed, known(max_leverage=-0.0)) == [
        ("parameter_changed", "is_inverse", None, "false", NOON),
        ("parameter_changed", "source_exchanges", None, "[a, b]", NOON),
        ("parameter_changed", "max_leverage", "-0.0", "1e-07", NOON),
    ]


def test_a_contract_that_is_gone() -> None:
    gone = delisted("XBTUSDTM", "paused", NOON)
    assert gone.row["status"] == "delisted"
    assert [(one.event, one.old_value, one.happened_at) for one in gone.changes] == [("delisted", "paused", NOON)]


moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - given a zone below
    lambda moment: moment.replace(tzinfo=timezone.utc, microsecond=moment.microsecond // 1000 * 1000)
)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1).filter(lambda word: word != "null")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | moments | st.lists(words))
def test_events_show_values_as_duckdb_does(value: Any) -> None:
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        cast = "::VARCHAR[]" if isinstance(value, list) else "::TIMESTAMPTZ" if isinstance(value, datetime) else ""
        assert db.execute(f"SELECT (?{cast})::VARCHAR", [value]).fetchone() == (shown(value),)


def test_what_is_not_set_is_null_and_nothing_is_below_zero() -> None:
    assert [stored("k", value) for value in (None, "", -0.0)] == [None, None, 0.0]
    assert str(stored("k", -0.0)) == "0.0"
    assert stored("expire_date", 1500) == datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=timezone.utc)
