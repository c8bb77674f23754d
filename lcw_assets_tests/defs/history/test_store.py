"""What becomes of responses: new points, restated ones, coarser ones, ones that are none."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcw_assets.defs.history.plan import Span
from lcw_assets.defs.history.planning import read_covered
from lcw_assets.defs.history.series import FIRST, SERIES
from lcw_assets.ingest.clock import DAY
from lcw_assets.instruments.tracked import read_top
from lcw_assets.warehouse.errors import LockedError, UnstorableError
from lcw_assets_tests.defs.history.harness import NOW, TODAY, Desk
from lcw_assets_tests.holders import held_open

YEAR = Span(TODAY - 100 * DAY, TODAY)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def point(at: datetime, rate: float | None, **values: Any) -> dict[str, Any]:
    made = {"date": int(at.timestamp() * 1000), "rate": rate, "volume": 10, "cap": None, "liquidity": 1.5}
    return made | values


def daily(first: int, rates: list[float]) -> list[dict[str, Any]]:
    """A point a day, from so many days ago on."""
    return [point(TODAY - (first - number) * DAY, rate) for number, rate in enumerate(rates)]


def test_points_are_there_with_where_they_came_from(desk: Desk) -> None:
    stored = desk.receive("coin_daily", "0xBTC", YEAR, daily(3, [1.0, 2.0, 6.124797550357514e-7]))
    assert (stored.responses, stored.points, stored.new, stored.revised) == (1, 3, 3, 0)
    rows = desk.query(
        "SELECT code, currency, bucket, date, rate, volume, cap, liquidity, step_s, observed_at "
        "FROM history.coin_daily ORDER BY bucket"
    )
    assert rows[2] == (
        *("0xBTC", "USD", TODAY - DAY, TODAY - DAY, 6.124797550357514e-7, 10.0, None, 1.5, 86400, NOW),
    )  # fmt: skip
    assert desk.query("SELECT code, window_start, window_end, points, outcome FROM history.asked") == [
        ("0xBTC", YEAR.start, YEAR.end, 3, "points")
    ]
    assert desk.spool.files() == []


def test_a_point_that_is_restated_replaces_the_one_before_which_is_kept(desk: Desk) -> None:
    desk.receive("coin_daily", "BTC", YEAR, daily(3, [1.0, 2.0, 3.0]))
    stored = desk.receive("coin_daily", "BTC", YEAR, daily(3, [1.0, 2.5, 3.0]), NOW + DAY)
    assert (stored.new, stored.revised) == (0, 1)
    assert desk.query("SELECT rate FROM history.coin_daily ORDER BY bucket") == [(1.0,), (2.5,), (3.0,)]
    assert desk.query("SELECT series, code, bucket, rate, observed_at, replaced_at FROM history.revisions") == [
        ("coin_daily", "BTC", TODAY - 2 * DAY, 2.0, NOW, NOW + DAY)
    ]


def test_a_response_that_is_older_changes_nothing(desk: Desk) -> None:
    """It waited in the spool, and a later one was stored first."""
    desk.receive("coin_daily", "BTC", YEAR, daily(2, [5.0, 6.0]), NOW)
    stored = desk.receive("coin_daily", "BTC", YEAR, daily(2, [1.0, 2.0]), NOW - DAY)
    assert (stored.new, stored.revised) == (0, 0)
    assert desk.query("SELECT rate FROM history.coin_daily ORDER BY bucket") == [(5.0,), (6.0,)]


def test_a_coarser_response_never_replaces_a_finer_one(desk: Desk) -> None:
    """LCW chooses the step by the range: what if it gives a day where hours were meant?"""
    hours = [TODAY - 4 * DAY + timedelta(hours=number) for number in range(96)]
    window = Span(TODAY - 4 * DAY, TODAY)
    desk.receive("coin_hourly", "BTC", window, [point(at, 1.0) for at in hours])
    stored = desk.receive("coin_hourly", "BTC", window, daily(4, [9.0] * 4), NOW + DAY)
    assert (stored.new, stored.revised) == (0, 0)
    assert desk.query("SELECT count(*), max(rate), max(step_s) FROM history.coin_hourly") == [(96, 1.0, 3600)]
    desk.receive("coin_hourly", "ETH", window, daily(4, [9.0] * 4))
    stored = desk.receive("coin_hourly", "ETH", window, [point(at, 2.0) for at in hours], NOW + DAY)
    assert (stored.new, stored.revised) == (92, 4)  # and a finer one does
    assert desk.query("SELECT DISTINCT rate, step_s FROM history.coin_hourly WHERE code = 'ETH'") == [(2.0, 3600)]


def test_a_response_that_is_finer_than_its_table_leaves_a_point_a_bucket(desk: Desk) -> None:
    hours = [TODAY - 2 * DAY + timedelta(hours=number) for number in range(48)]
    desk.receive("coin_daily", "BTC", YEAR, [point(at, number) for number, at in enumerate(hours)])
    assert desk.query("SELECT bucket, date, rate FROM history.coin_daily ORDER BY bucket") == [
        (TODAY - 2 * DAY, TODAY - 2 * DAY, 0.0),
        (TODAY - DAY, TODAY - DAY, 24.0),
    ]


def test_the_whole_market_has_a_history_too(desk: Desk) -> None:
    made = [
        {"date": int((TODAY - DAY).timestamp() * 1000), "cap": 2e12, "volume": 7, "liquidity": 5, "btcDominance": 0.4}
    ]
    desk.receive("overview_daily", "", YEAR, made)
    assert desk.query("SELECT currency, bucket, cap, btc_dominance FROM history.overview_daily") == [
        ("USD", TODAY - DAY, 2e12, 0.4)
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (point(TODAY - DAY, -1.0), "rate is -1.0: it must be a number from 0"),
        (point(TODAY - DAY, 1.0, volume="much"), "volume is 'much'"),
        (point(TODAY + 9 * 365 * DAY, 1.0), "date is"),
        ({"rate": 1.0}, "date is None: it must be milliseconds since 1970, from 2009 to now"),
        (point(TODAY - DAY, 1.0, date="yesterday"), "date is 'yesterday'"),
    ],
)
def test_a_point_that_is_none_is_quarantined_and_the_rest_is_there(desk: Desk, wrong: Any, says: str) -> None:
    stored = desk.receive("coin_daily", "BTC", YEAR, [wrong, *daily(3, [1.0, 2.0])])
    assert desk.query("SELECT rate FROM history.coin_daily ORDER BY bucket") == [(1.0,), (2.0,)]
    assert (stored.points, stored.quarantined) == (2, 1)
    [(endpoint, reason)] = desk.query("SELECT endpoint, reason FROM ops.quarantine")
    assert endpoint == "coins/single/history"
    assert reason.startswith(says)


def test_a_file_that_is_no_batch_is_set_aside(desk: Desk) -> None:
    desk.spool.folder.mkdir(parents=True)
    (desk.spool.folder / "x.jsonl").write_text("nonsense\n")
    assert desk.store().responses == 0
    assert "does not begin with a load" in desk.logged[0]
    assert desk.spool.pending() == []


def test_a_response_that_is_no_json_any_more_is_set_aside_and_blocks_nothing(desk: Desk) -> None:
    desk.spool_payload("coin_daily", "BTC", YEAR, '{"history')
    desk.spool_response("coin_daily", "ETH", YEAR, daily(1, [1.0]))
    with pytest.raises(UnstorableError, match="cannot be stored"):
        desk.store()
    assert desk.query("SELECT code FROM history.coin_daily") == [("ETH",)]
    assert desk.spool.pending() == []


@pytest.mark.parametrize(
    ("value", "rates"),
    [
        (r'"\ud83d"', [1.0, None, 3.0]),
        ("9" * 5_000, [1.0, None, 3.0]),
        ("[" * 500 + "]" * 500, [1.0, 3.0]),
        ("1e999", [1.0, 3.0]),
    ],
    ids=["lone surrogate", "5,000 digits", "nested", "infinite"],
)
def test_a_value_that_cannot_be_read_costs_itself_and_no_batch(
    desk: Desk, value: str, rates: list[float | None]
) -> None:
    """DuckDB unpacks the points: one lone surrogate in a name made it refuse four hundred responses."""
    points = json.dumps(daily(3, [1.0, 2.0, 3.0])).replace('"rate": 2.0', '"rate": @, "name": @').replace("@", value)
    desk.spool_payload("coin_daily", "BTC", YEAR, f'{{"history":{points},"name":{value}}}')
    desk.spool_response("coin_daily", "ETH", YEAR, daily(1, [5.0]))
    stored = desk.store()
    assert desk.spool.pending() == []
    stored_rates = desk.query("SELECT rate FROM history.coin_daily WHERE code = 'BTC' ORDER BY bucket")
    assert [rate for (rate,) in stored_rates] == rates
    assert desk.query("SELECT rate FROM history.coin_daily WHERE code = 'ETH'") == [(5.0,)]
    assert stored.quarantined == desk.query("SELECT count(*) FROM ops.quarantine")[0][0] >= 1


def test_a_backfill_that_died_before_it_asked_leaves_nothing(desk: Desk) -> None:
    with desk.spool.open(desk.batch()):
        pass
    assert desk.store().responses == 0
    assert (desk.logged, list(desk.spool.folder.iterdir())) == ([], [])


def test_damaged_lines_are_quarantined(desk: Desk) -> None:
    desk.spool_response("coin_daily", "BTC", YEAR, daily(1, [1.0]))
    [path] = desk.spool.pending()
    path.write_bytes(path.read_bytes() + b'{"kind":"ans')
    assert desk.store().points == 1
    assert desk.query("SELECT endpoint, payload FROM ops.quarantine") == [("spool", '{"kind":"ans')]


def test_what_cannot_be_stored_waits(desk: Desk) -> None:
    desk.receive("coin_daily", "BTC", YEAR, daily(1, [1.0]))
    with held_open(desk.database):
        with pytest.raises(LockedError):
            desk.receive("coin_daily", "BTC", YEAR, daily(2, [1.0, 2.0]))
        assert len(desk.spool.pending()) == 1
    assert desk.store().points == 2


def covered(desk: Desk, series: str = "coin_daily", code: str = "BTC", now: datetime = NOW) -> list[Span]:
    with desk.open() as db:
        return list(read_covered(db, SERIES[series], "USD", [code], now)[0][code])


def test_windows_that_touch_are_one_stretch(desk: Desk) -> None:
    for first in (300, 200, 50):
        desk.receive("coin_daily", "BTC", Span(TODAY - first * DAY, TODAY - (first - 50) * DAY), [])
    desk.receive("coin_daily", "BTC", Span(TODAY - 250 * DAY, TODAY - 190 * DAY), daily(240, [1.0]))
    assert covered(desk) == [Span(TODAY - 300 * DAY, TODAY - 150 * DAY), Span(TODAY - 50 * DAY, TODAY)]


def test_of_a_day_that_is_not_over_only_what_was_is_covered(desk: Desk) -> None:
    desk.receive("coin_hourly", "BTC", Span(TODAY, TODAY + DAY), [point(TODAY, 1.0)], NOW)
    assert covered(desk, "coin_hourly") == [Span(TODAY, NOW)]


def test_a_coin_that_did_not_exist_is_not_requested_before(desk: Desk) -> None:
    """Twice a hundred days without a point, and points in all that is later: no call is spent on the years before."""
    desk.receive("coin_daily", "BTC", YEAR, daily(50, [1.0] * 50))
    desk.receive("coin_daily", "BTC", Span(TODAY - 200 * DAY, TODAY - 100 * DAY), [])
    assert covered(desk) == [Span(TODAY - 200 * DAY, TODAY)]  # that may be a slip
    desk.receive("coin_daily", "BTC", Span(TODAY - 300 * DAY, TODAY - 200 * DAY), [])
    assert covered(desk) == [Span(FIRST, TODAY)]
    assert covered(desk, "coin_5min") == [Span(FIRST, TODAY - 100 * DAY)]
    older = Span(TODAY - 500 * DAY, TODAY - 400 * DAY)
    desk.receive("coin_daily", "BTC", older, daily(450, [1.0] * 9))  # and a point before them says that it was
    assert covered(desk) == [older, Span(TODAY - 300 * DAY, TODAY)]


def test_points_that_were_all_refused_are_no_response(desk: Desk) -> None:
    desk.receive("coin_daily", "BTC", YEAR, daily(3, [-1.0, -2.0, -3.0]))
    assert desk.query("SELECT outcome, points FROM history.asked") == [("refused", 0)]
    assert covered(desk) == []


def test_a_coarse_response_is_the_finest_there_is_and_says_so(desk: Desk) -> None:
    window = Span(TODAY - 4 * DAY, TODAY)
    desk.receive("coin_hourly", "BTC", window, daily(4, [1.0] * 4))
    assert desk.query("SELECT outcome, points FROM history.asked") == [("coarse", 4)]
    assert covered(desk, "coin_hourly") == [window]


def test_a_date_that_stands_twice_does_not_make_its_response_a_fine_one(desk: Desk) -> None:
    desk.receive("coin_daily", "BTC", YEAR, [*daily(3, [1.0, 2.0, 3.0]), *daily(3, [1.0])])
    assert desk.query("SELECT DISTINCT step_s FROM history.coin_daily") == [(86400,)]
    assert desk.receive("coin_daily", "BTC", YEAR, daily(3, [1.0, 2.0, 4.0]), NOW + DAY).revised == 1


def test_a_point_that_stands_alone_replaces_none(desk: Desk) -> None:
    """Of what step it is, nobody knows."""
    desk.receive("coin_daily", "BTC", YEAR, daily(3, [1.0, 2.0, 3.0]))
    assert desk.receive("coin_daily", "BTC", YEAR, daily(1, [99.0]), NOW + DAY).revised == 0
    assert desk.receive("coin_daily", "ETH", YEAR, daily(1, [99.0]), NOW).new == 1
    assert desk.receive("coin_daily", "ETH", YEAR, daily(3, [1.0, 2.0, 3.0]), NOW + DAY).revised == 1


def test_what_was_requested_too_soon_is_requested_once_more(desk: Desk) -> None:
    """Live Coin Watch restates points for a day: yesterday is final at 01:00 tomorrow, and asked again from then on."""
    soon = TODAY + timedelta(minutes=5)
    desk.receive("coin_daily", "BTC", YEAR, daily(3, [1.0, 2.0, 3.0]), soon)
    assert covered(desk, now=soon) == [YEAR]  # not twice in a day
    assert covered(desk, now=TODAY + timedelta(minutes=55)) == [YEAR]
    assert covered(desk, now=TODAY + timedelta(hours=25)) == [Span(YEAR.start, TODAY - 2 * DAY)]
    desk.receive("coin_daily", "BTC", YEAR, daily(3, [1.0, 2.0, 3.5]), TODAY + timedelta(hours=26))
    assert covered(desk, now=TODAY + 30 * DAY) == [YEAR]


def test_a_coin_is_unknown_in_the_currency_that_was_requested(desk: Desk) -> None:
    with desk.open() as db:
        db.execute(
            "INSERT INTO history.asked VALUES ('coin_daily', 'BTC', 'XYZ', ?, ?, ?, 0, 'unknown_code', true, 'b')",
            [YEAR.start, YEAR.end, NOW],
        )
        assert read_covered(db, SERIES["coin_daily"], "USD", ["BTC"], NOW)[1] == set()
        assert read_covered(db, SERIES["coin_daily"], "XYZ", ["BTC"], NOW)[1] == {"BTC"}


def test_a_code_is_unknown_by_its_outcome_and_by_no_words(desk: Desk) -> None:
    """A file of an older version has the words alone: such a coin is requested once more."""
    desk.now = NOW
    desk.spool_attempt("coin_daily", "NOSUCH", "unknown_code", "400: no such thing", window=YEAR)
    desk.spool_attempt("coin_daily", "OLD", "rejected", "400: Unknown coin code.", window=YEAR)
    desk.store()
    assert desk.query("SELECT code, window_start, outcome, points FROM history.asked") == [
        ("NOSUCH", YEAR.start, "unknown_code", 0)
    ]
    assert desk.plan("coin_daily", YEAR, ["NOSUCH", "OLD"]).codes == ["OLD"]
    assert desk.query("SELECT status, missing FROM ops.loads ORDER BY load_id") == [
        ("complete", []),
        ("failed", ["OLD from 2026-08-12: 400: Unknown coin code."]),
    ]


def test_what_is_unknown_of_another_endpoint_is_no_coin(desk: Desk) -> None:
    """It has no window, and must not make its file one that nobody can store."""
    desk.spool_attempt("coin_daily", "", "unknown_code", "400: Unknown request.", endpoint="credits")
    desk.spool_response("coin_daily", "BTC", YEAR, daily(1, [1.0]))
    assert desk.store().points == 1
    assert desk.query("SELECT code FROM history.asked") == [("BTC",)]


def test_on_top_are_coins_that_are_still_there(desk: Desk) -> None:
    with desk.open() as db:
        ahead = NOW + 365 * DAY  # of a clock that was wrong once
        for code, rank, at in (
            ("OLD", 1, NOW - DAY),
            ("ODD", 9, ahead),
            ("BTC", 1, NOW),
            ("ETH", 2, NOW),
            ("XRP", 3, NOW),
        ):
            db.execute(
                "INSERT INTO market.coins (code, currency, rank, observed_at, changed_at, cycle_id) "
                "VALUES (?, 'USD', ?, ?, ?, 'c')",
                [code, rank, at, at],
            )
        assert read_top(db, "USD", NOW, 2) == ["BTC", "ETH"]


def test_a_coin_that_has_stopped_is_requested_before(desk: Desk) -> None:
    desk.receive("coin_daily", "BTC", YEAR, [])
    assert covered(desk) == [YEAR]


# Of two points and more: one that stands alone replaces none.
responses = st.lists(
    st.tuples(st.integers(0, 6), st.integers(2, 5), st.integers(0, 3), st.floats(0, 10, width=16)), max_size=8
)


@settings(max_examples=25)
@given(made=responses)
def test_any_sequence_of_responses_ends_as_one_would_keep_it_by_hand(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[int, int, int, float]]
) -> None:
    """Of each day the newest response counts; each change of one that was there is a revision."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    kept: dict[int, tuple[int, float]] = {}
    revisions = 0
    for first, length, when, rate in made:
        desk.receive("coin_daily", "BTC", YEAR, daily(20 - first, [rate] * length), NOW + timedelta(hours=when))
        for day in range(first, first + length):
            at, before = kept.get(day, (-1, None))
            if when > at:
                if before is not None and before != rate:
                    revisions += 1
                # What is said again unchanged keeps the time at which it was said first.
                kept[day] = (at, rate) if before == rate else (when, rate)
    if not made:
        return
    rows = desk.query("SELECT bucket, rate FROM history.coin_daily ORDER BY bucket")
    assert rows == [(TODAY - (20 - day) * DAY, rate) for day, (_, rate) in sorted(kept.items())]
    assert desk.query("SELECT count(*) FROM history.revisions") == [(revisions,)]
