"""What the registry makes of KuCoin's responses, minute by minute."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from lcw_assets.defs.registry.plausible import Limits
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.schema import tables
from lcw_assets_tests.defs.registry.syncs import NOON, Registry, body, contract


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def many(count: int, **fields: object) -> list[dict[str, object]]:
    return [contract(f"C{number:03}USDTM", **fields) for number in range(count)]


def test_a_contract_is_listed_changed_paused_and_delisted_each_once(registry: Registry) -> None:
    registry.minute(contract("XBTUSDTM"))
    registry.minute(contract("XBTUSDTM"), contract("NEWUSDTM"))
    registry.minute(contract("XBTUSDTM", maxLeverage=50), contract("NEWUSDTM"))
    registry.minute(contract("XBTUSDTM", maxLeverage=50, status="Paused"), contract("NEWUSDTM"))
    registry.minute(contract("XBTUSDTM", maxLeverage=50), contract("NEWUSDTM"))
    registry.minute(contract("XBTUSDTM", maxLeverage=50))
    registry.minute(contract("XBTUSDTM", maxLeverage=50))
    assert registry.events() == [
        (1, "XBTUSDTM", "listed", "status", None, "active"),
        (2, "NEWUSDTM", "listed", "status", None, "active"),
        (3, "XBTUSDTM", "parameter_changed", "max_leverage", "100.0", "50.0"),
        (4, "XBTUSDTM", "status_changed", "status", "active", "paused"),
        (5, "XBTUSDTM", "status_changed", "status", "paused", "active"),
        (6, "NEWUSDTM", "delisted", "status", "active", "delisted"),
    ]
    assert registry.tokens("symbol, status, max_leverage, last_seen, delisted_at, changed_at") == [
        ("NEWUSDTM", "delisted", 100, minute(5), minute(6), minute(6)),
        ("XBTUSDTM", "active", 50, minute(7), None, minute(5)),
    ]


def minute(number: int) -> object:
    return NOON + timedelta(minutes=number)


def test_a_symbol_that_comes_back_is_relisted_and_keeps_its_history(registry: Registry) -> None:
    other = contract("XBTUSDTM")
    registry.minute(other, contract("ABCUSDTM"))
    registry.minute(other)
    registry.minute(other, contract("ABCUSDTM", maxLeverage=20))
    registry.minute(other, contract("ABCUSDTM", maxLeverage=20))
    assert [event for event in registry.events() if event[1] == "ABCUSDTM"] == [
        (1, "ABCUSDTM", "listed", "status", None, "active"),
        (2, "ABCUSDTM", "delisted", "status", "active", "delisted"),
        (3, "ABCUSDTM", "parameter_changed", "max_leverage", "100.0", "20.0"),
        (3, "ABCUSDTM", "relisted", "status", "delisted", "active"),
    ]
    [row] = registry.query(
        "SELECT status, first_seen, listed_at, delisted_at, is_new FROM registry.tokens WHERE symbol = 'ABCUSDTM'"
    )
    assert row == ("active", minute(1), minute(3), None, True)


def test_only_what_moved_gets_a_snapshot(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    registry.minute(contract("AUSDTM", markPrice=11), contract("BUSDTM", nextFundingRateTime=1000, volumeOf24h=5))
    registry.minute(contract("AUSDTM", markPrice=11), contract("BUSDTM", openInterest="1001"))
    rows = registry.query("SELECT symbol, observed_at, mark_price, open_interest FROM registry.token_snapshots")
    assert sorted(rows) == [
        ("AUSDTM", minute(1), 10.5, 1000), ("AUSDTM", minute(2), 11, 1000),
        ("BUSDTM", minute(1), 10.5, 1000), ("BUSDTM", minute(3), 10.5, 1001),
    ]  # fmt: skip
    assert registry.tokens("symbol, mark_price, volume_of_24h") == [("AUSDTM", 11, None), ("BUSDTM", 10.5, 5)]


def test_new_for_so_many_hours(tmp_path: Path) -> None:
    registry = Registry(tmp_path, {"LCW_REGISTRY_NEW_HOURS": "2"})
    opened = int(NOON.timestamp() * 1000) - 3_600_000
    fresh, old = contract("NEWUSDTM", firstOpenDate=opened), contract("OLDUSDTM")
    registry.minute(fresh, old)
    assert registry.tokens("symbol, is_new") == [("NEWUSDTM", True), ("OLDUSDTM", False)]
    registry.now += timedelta(hours=1)
    registry.minute(fresh, old)
    assert registry.tokens("symbol, is_new") == [("NEWUSDTM", False), ("OLDUSDTM", False)]


def test_the_moment_of_the_next_funding_is_reported_and_not_only_what_is_left(registry: Registry) -> None:
    registry.minute(contract("XBTUSDTM", nextFundingRateTime=3_600_123))
    assert registry.tokens("next_funding_at") == [(NOON + timedelta(hours=1, minutes=1),)]


# Bad input.


def test_the_recorded_bodies_of_2022_and_of_today_make_the_same_table(
    recorded_kucoin: Path, registry: Registry, tmp_path: Path
) -> None:
    old = (recorded_kucoin / "kucoin_futures_contracts_active_2contracts_2022-06.json").read_text()
    new = (recorded_kucoin / "kucoin_futures_contracts_active_doc_example.json").read_text()
    assert registry.take(old).found.contracts == 2
    columns = [column for column, *_ in registry.query("DESCRIBE registry.tokens")]
    assert columns == [column.name for column in tables()["registry.tokens"]]
    found = registry.tokens("symbol, open_interest, multiplier, settlement_symbol, buy_limit, unknown_fields")
    assert found == [("XBTUSDM", 36857949, -1.0, None, None, None), ("XBTUSDTM", 9876432, 0.001, None, None, None)]
    both = json.loads(old)["data"][1:] + json.loads(new)["data"]
    registry.take(body(*both))
    assert [column for column, *_ in registry.query("DESCRIBE registry.tokens")] == columns
    [after] = registry.query(
        "SELECT open_interest, buy_limit, k, funding_rate_granularity, support_cross, source_exchanges[1] "
        "FROM registry.tokens WHERE symbol = 'XBTUSDTM'"
    )
    assert after == (6748176, 90700.7115, 490, 28_800_000, True, "binance")
    changed = {event[3] for event in registry.events() if event[2] == "parameter_changed"}
    assert {"tick_size", "initial_margin", "max_leverage", "k", "support_cross", "source_exchanges"} <= changed
    assert not changed & {"maker_fee_rate", "settlement_symbol", "max_price", "mark_price", "buy_limit"}


def test_a_contract_that_loses_a_field_has_it_null_and_one_event(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    for _ in range(2):
        registry.minute(contract("AUSDTM", takerFeeRate=..., markPrice=...), contract("BUSDTM"))
    assert [event for event in registry.events() if event[0] > 1] == [
        (2, "AUSDTM", "parameter_changed", "taker_fee_rate", "0.0006", None)
    ]
    assert registry.tokens("symbol, taker_fee_rate, mark_price") == [("AUSDTM", None, None), ("BUSDTM", 0.0006, 10.5)]


def test_a_field_that_every_contract_loses_was_renamed_and_what_was_known_is_kept(registry: Registry) -> None:
    registry.minute(*many(9))
    for _ in range(2):
        renamed = registry.minute(*many(9, takerFeeRate=..., takerFee=0.0007))
        assert (renamed.found.lost_fields, renamed.found.unknown) == (["taker_fee_rate"], ["takerFee"])
    assert {event[0] for event in registry.events()} == {1}
    assert registry.tokens("taker_fee_rate, unknown_fields->>'takerFee'") == [(0.0006, "0.0007")] * 9
    registry.minute(*many(9, takerFeeRate=0.0008))
    assert len([event for event in registry.events() if event[0] == 4]) == 9
    assert registry.tokens("taker_fee_rate, unknown_fields") == [(0.0008, None)] * 9


def test_a_field_that_comes_back_is_compared_where_it_did_not(registry: Registry) -> None:
    """The contract without it is as it was the minute before, when nobody had it."""
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    registry.minute(contract("AUSDTM", takerFeeRate=...), contract("BUSDTM", takerFeeRate=...))
    back = registry.minute(contract("AUSDTM", takerFeeRate=...), contract("BUSDTM"))
    assert (back.found.lost_fields, back.found.changes.parameter_changes) == ([], 1)
    assert registry.events()[2:] == [(3, "AUSDTM", "parameter_changed", "taker_fee_rate", "0.0006", None)]
    assert registry.tokens("symbol, taker_fee_rate") == [("AUSDTM", None), ("BUSDTM", 0.0006)]


def test_prices_and_the_status_that_no_contract_has_any_more_are_kept_and_named(registry: Registry) -> None:
    registry.minute(contract("AUSDTM", status="Paused"), contract("BUSDTM"))
    lost = {"status": ..., "markPrice": ..., "nextFundingRateTime": ...}
    renamed = registry.minute(*(contract(name, **lost, markPx=7, indexPrice=9) for name in ("AUSDTM", "BUSDTM")))
    assert renamed.found.lost_fields == ["exchange_status", "next_funding_rate_time", "mark_price"]
    assert registry.tokens("symbol, status, exchange_status, mark_price, index_price") == [
        ("AUSDTM", "paused", "Paused", 10.5, 9),
        ("BUSDTM", "active", "Open", 10.5, 9),
    ]
    prices = "SELECT mark_price, index_price FROM registry.token_snapshots WHERE observed_at = getvariable('x')"
    assert registry.query(prices.replace("getvariable('x')", f"'{minute(2)}'")) == [(10.5, 9), (10.5, 9)]


@pytest.mark.parametrize("field", ["indexSymbol", "maxLeverage"])
def test_an_empty_text_everywhere_is_a_field_that_nobody_sends(registry: Registry, field: str) -> None:
    registry.minute(contract("AUSDTM", indexSymbol=".K"), contract("BUSDTM", indexSymbol=".K"))
    registry.minute(*(contract(name, **{"indexSymbol": ".K", field: ""}) for name in ("AUSDTM", "BUSDTM")))
    assert len(registry.events()) == 2
    assert registry.tokens("index_symbol, max_leverage") == [(".K", 100)] * 2


def test_the_same_symbol_twice_counts_once_and_the_later_one_wins(registry: Registry) -> None:
    done = registry.minute(contract("AUSDTM", markPrice=1), contract("BUSDTM"), contract("AUSDTM", markPrice=2))
    assert done.found.contracts == 2
    assert registry.tokens("symbol, mark_price") == [("AUSDTM", 2), ("BUSDTM", 10.5)]
    assert registry.query("SELECT count(*) FROM registry.token_snapshots") == [(2,)]
    [(reason, payload)] = registry.query("SELECT reason, payload FROM ops.quarantine")
    assert "again" in reason
    assert json.loads(payload)["mark_price"] == 1


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("1.4354731E7", 14354731.0), ('"1.4354731E7"', 14354731.0), ("1000000.0000000000", 1e6), ('"12.50"', 12.5),
        ('""', None), ("null", None), ("2.0E-4", 0.0002),
    ],
)  # fmt: skip
def test_numbers_in_every_form_that_kucoin_has(registry: Registry, given: str, stored: float | None) -> None:
    text = body(contract("XBTUSDTM", markPrice="@", maxPrice="@", openInterest="@")).replace('"@"', given)
    done = registry.take(text)
    assert done.found.status == "applied"
    assert registry.tokens("mark_price, max_price, open_interest") == [(stored, stored, stored)]
    assert registry.query("SELECT count(*) FROM ops.quarantine") == [(0,)]


def test_a_value_that_is_none_costs_that_value_and_not_the_contract(registry: Registry) -> None:
    """Left out, the contract would be taken for delisted."""
    registry.minute(*many(3))
    odd = {"markPrice": "n/a", "expireDate": 1e300, "maxLeverage": {"x": 1}, "indexPrice": "Infinity"}
    done = registry.minute(contract("C000USDTM", **odd), *many(3)[1:])
    assert (done.found.status, done.found.changes.delisted) == ("applied", 0)
    assert registry.tokens("mark_price, index_price, expire_date, max_leverage")[0] == (None, None, None, None)
    reasons = [reason for (reason,) in registry.query("SELECT reason FROM ops.quarantine ORDER BY reason")]
    assert [reason.partition(":")[0] for reason in reasons] == ["expireDate", "indexPrice", "markPrice", "maxLeverage"]


def test_what_is_wrong_with_every_contract_is_one_row_of_the_quarantine(registry: Registry) -> None:
    registry.minute(*many(40, markPrice="n/a"))
    [(reason,)] = registry.query("SELECT reason FROM ops.quarantine")
    assert reason.startswith("markPrice: ")
    assert reason.endswith("(40 records; this is one)")


def test_a_record_without_a_name_is_refused_and_the_rest_is_taken(registry: Registry) -> None:
    done = registry.take(body(contract("AUSDTM"), contract("", markPrice=5), {}, 7))  # type: ignore[arg-type]
    assert (done.found.contracts, done.row["quarantined"]) == (1, 3)
    assert registry.tokens() == [("AUSDTM", "active")]


def test_unknown_fields_are_kept_and_make_no_events(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"))
    registry.minute(contract("AUSDTM", brandNew={"a": [1, None, 2**70], "b": "\u20bf'"}))
    assert registry.tokens("unknown_fields") == [('{"brandNew":{"a":[1,null,1180591620717411303424],"b":"₿\'"}}',)]
    registry.minute(contract("AUSDTM", brandNew=2), contract("BUSDTM", brandNew=3))
    assert registry.tokens("unknown_fields") == [('{"brandNew":2}',), ('{"brandNew":3}',)]
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    assert registry.tokens("unknown_fields") == [(None,), (None,)]
    assert len(registry.events()) == 2


def test_an_unknown_status_is_reported_in_small_letters(registry: Registry) -> None:
    registry.minute(contract("AUSDTM", status="CancelOnly"), contract("BUSDTM", status="Frozen"))
    registry.minute(contract("AUSDTM", status=...), contract("BUSDTM", status="Delisted"))
    assert registry.tokens() == [("AUSDTM", "cancel_only"), ("BUSDTM", "closed")]


@pytest.mark.parametrize("word", ["delisted", "DELISTED", "Delisted"])
def test_the_word_delisted_is_a_status_like_others(registry: Registry, word: str) -> None:
    """Ours means gone from the responses: taken for that, it stopped every sync after it."""
    other = contract("BUSDTM")
    registry.minute(contract("AUSDTM"), other)
    registry.minute(contract("AUSDTM", status=word), other)
    registry.minute(contract("AUSDTM"), other)
    registry.minute(other)
    assert [event[2:] for event in registry.events() if event[1] == "AUSDTM"][1:] == [
        ("status_changed", "status", "active", "closed"),
        ("status_changed", "status", "closed", "active"),
        ("delisted", "status", "active", "delisted"),
    ]


def test_a_row_that_says_delisted_and_not_since_when_is_mended_by_the_next_response(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"))
    with open_database(registry.database) as db:
        db.execute("UPDATE registry.tokens SET status = 'delisted'")
    assert registry.minute(contract("AUSDTM")).found.changes.relisted == 1
    assert registry.tokens("status, listed_at") == [("active", minute(2))]


def test_a_contract_that_comes_back_without_a_status_is_active_and_not_what_it_was(registry: Registry) -> None:
    other = contract("BUSDTM")
    registry.minute(contract("AUSDTM", status="Paused"), other)
    registry.minute(other)
    registry.minute(contract("AUSDTM", status=...), other)
    assert registry.tokens("symbol, status, exchange_status")[0] == ("AUSDTM", "active", None)


def test_an_opening_that_is_put_off_puts_off_the_listing(registry: Registry) -> None:
    def opens(hours: float) -> int:
        return int((NOON + timedelta(hours=hours)).timestamp() * 1000)

    for hours in (1, 120, 96):
        registry.minute(contract("NEWUSDTM", status="Init", firstOpenDate=opens(hours)))
        assert registry.tokens("listed_at") == [(NOON + timedelta(hours=hours),)]
    assert registry.tokens("is_new") == [(True,)]


def test_a_response_from_the_future_makes_no_other_one_old(registry: Registry) -> None:
    """The clock was a year ahead for a minute. What came after was taken for older, until then."""
    registry.minute(contract("AUSDTM"), contract("BUSDTM"), contract("CUSDTM"))
    ahead = body(contract("AUSDTM", maxLeverage=5, markPrice=11), contract("BUSDTM"))
    registry.receive(ahead, at=NOON + timedelta(days=365))
    registry.store()
    after = registry.minute(contract("AUSDTM", maxLeverage=7, markPrice=11), contract("BUSDTM"))
    assert after.found.status == "applied"
    assert registry.tokens("symbol, status, max_leverage, last_seen")[:2] == [
        ("AUSDTM", "active", 7, minute(3)),
        ("BUSDTM", "active", 100, minute(3)),
    ]
    assert registry.store().syncs == []
    snapshots = "SELECT count(*) FROM registry.token_snapshots WHERE symbol = 'AUSDTM'"
    assert registry.query(snapshots) == [(3,)]  # also of a price that is the one from the future
    assert registry.query("SELECT count(*) FROM raw.pulls") == [(2,)]
    registry.now += timedelta(hours=2)
    registry.minute(contract("AUSDTM", maxLeverage=7), contract("BUSDTM"))
    assert registry.query("SELECT count(*) FROM raw.pulls") == [(3,)]
    late = registry.take(body(contract("AUSDTM", maxLeverage=9)), at=registry.now - timedelta(seconds=30))
    assert late.found.status == "older"


def test_a_delisting_alone_is_known_until_then(registry: Registry) -> None:
    """Nothing is seen any more, and a response from before must not bring it back."""
    registry.minute(contract("AUSDTM"))
    registry.minute()
    registry.minute()
    assert registry.tokens() == [("AUSDTM", "delisted")]
    late = registry.take(body(contract("AUSDTM")), at=registry.now - timedelta(seconds=90))
    assert late.found.status == "older"


def test_more_than_a_thousand_contracts_are_all_there_and_all_compared(registry: Registry) -> None:
    registry.minute(*many(1001))
    done = registry.minute(*many(1001, maxLeverage=7))
    assert (done.found.changes.parameter_changes, len(registry.events())) == (1001, 2002)
    registry.minute()
    assert registry.minute().found.changes.delisted == 1001
    assert registry.query("SELECT count(*), count(DISTINCT symbol), min(max_leverage) FROM registry.tokens") == [
        (1001, 1001, 7)
    ]


@pytest.mark.parametrize("earlier", [timedelta(0), timedelta(seconds=1), timedelta(days=3)])
def test_an_older_response_changes_nothing(registry: Registry, earlier: timedelta) -> None:
    registry.minute(contract("AUSDTM"), contract("BUSDTM"))
    registry.minute(contract("AUSDTM", maxLeverage=5, markPrice=3), contract("BUSDTM"))
    before = registry.tokens("*"), registry.events()
    late = registry.take(body(contract("AUSDTM", maxLeverage=7), contract("CUSDTM")), at=registry.now - earlier)
    assert (late.found.status, late.row["detail"]["listed"]) == ("older", 0)
    assert (registry.tokens("*"), registry.events()) == before


# Half and empty responses.


def test_a_half_response_delists_nothing_until_a_second_one_says_the_same(registry: Registry) -> None:
    registry.minute(*many(100))
    before = registry.tokens("*")
    half = registry.minute(*many(50, markPrice=1))
    assert half.found.status == "held"
    assert "50 of 100 listed contracts (50.0 %) are missing" in (half.found.reason or "")
    assert registry.tokens("*") == before
    again = registry.minute(*many(50, markPrice=1))
    assert (again.found.status, again.found.changes.delisted) == ("applied", 50)


def test_a_whole_response_after_a_half_one_changes_nothing(registry: Registry) -> None:
    registry.minute(*many(100))
    registry.minute(*many(50))
    assert registry.minute(*many(100)).found.status == "applied"
    assert registry.minute(*many(50)).found.status == "held"  # the doubt begins anew
    assert len(registry.events()) == 100


def test_two_halves_that_are_cut_in_different_places_say_nothing_together(registry: Registry) -> None:
    registry.minute(*many(100))
    assert registry.minute(*many(50)).found.status == "held"
    assert registry.minute(*many(100)[40:80]).found.status == "held"
    assert registry.query("SELECT DISTINCT status FROM registry.tokens") == [("active",)]


@pytest.mark.parametrize(
    ("after", "status"),
    [(timedelta(seconds=1), "held"), (timedelta(minutes=1), "applied"), (timedelta(hours=2), "held")],
)
def test_the_same_half_confirms_itself_after_a_moment_and_within_an_hour(
    registry: Registry, after: timedelta, status: str
) -> None:
    registry.minute(*many(100))
    registry.minute(*many(50))
    assert registry.take(body(*many(50)), at=registry.now + after).found.status == status


def test_a_half_that_is_answered_again_at_once_may_still_be_confirmed(registry: Registry) -> None:
    registry.minute(*many(100))
    registry.minute(*many(50))
    registry.take(body(*many(50)), at=registry.now + timedelta(seconds=1))
    assert registry.minute(*many(50)).found.status == "applied"


def test_an_empty_response_is_held_also_where_few_are_listed(registry: Registry) -> None:
    registry.minute(contract("AUSDTM"))
    assert registry.minute().found.status == "held"
    assert registry.minute().found.changes.delisted == 1


def test_a_response_that_failed_in_between_does_not_break_a_confirmation(registry: Registry) -> None:
    registry.minute(*many(100))
    registry.minute(*many(50))
    registry.ask("http://127.0.0.1:1")
    assert registry.store().syncs[-1].found.status == "failed"
    assert registry.minute(*many(50)).found.status == "applied"


@pytest.mark.parametrize(
    ("limits", "gone", "status"),
    [
        (Limits(), 5, "applied"), (Limits(), 6, "held"), (Limits(share=0.2), 20, "applied"),
        (Limits(share=0.2), 21, "held"), (Limits(count=10), 10, "applied"), (Limits(count=10), 11, "held"),
        (Limits(share=0, count=0), 1, "held"), (Limits(share=1), 99, "applied"),
    ],
)  # fmt: skip
def test_how_many_may_go_at_once_is_a_setting(tmp_path: Path, limits: Limits, gone: int, status: str) -> None:
    limit = {"SHARE": limits.share, "COUNT": limits.count}
    registry = Registry(tmp_path, {f"LCW_REGISTRY_MAX_DELISTED_{name}": str(value) for name, value in limit.items()})
    registry.minute(*many(100))
    assert registry.minute(*many(100 - gone)).found.status == status
