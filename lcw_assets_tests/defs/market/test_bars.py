"""Bars, checkpoints and the market as of a moment, against a model that a person can follow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from itertools import groupby

from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from lcw_assets.defs.market.bars import WIDTHS, build
from lcw_assets_tests.defs.monitoring.facts import database

START = datetime(2026, 11, 18, 21, 30, tzinfo=timezone.utc)
NOW = START + timedelta(days=3)

Tick = tuple[str, datetime, float, float]


def add(db: DuckDBPyConnection, ticks: Sequence[Tick]) -> None:
    for code, at, rate, volume in ticks:
        db.execute(
            "INSERT INTO market.coin_ticks (code, currency, observed_at, cycle_id, rate, volume) "
            "VALUES (?, 'USD', ?, 'c', ?, ?)",
            [code, at, rate, volume],
        )


def model(ticks: Sequence[Tick], minutes: int) -> list[tuple[object, ...]]:
    """Open is the price in force as the bar begins, or the first one ever."""
    bars: list[tuple[object, ...]] = []
    epoch = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def bucket(tick: Tick) -> datetime:
        return epoch + (tick[1] - epoch) // timedelta(minutes=minutes) * timedelta(minutes=minutes)

    for code in sorted({tick[0] for tick in ticks}):
        before: float | None = None
        own = sorted((tick for tick in ticks if tick[0] == code), key=lambda tick: tick[1])
        for start, group in groupby(own, key=bucket):
            inside = list(group)
            rates = [tick[2] for tick in inside]
            opened = rates[0] if before is None else before
            high, low = max(opened, *rates), min(opened, *rates)
            bars.append((code, start, opened, high, low, rates[-1], inside[-1][3], len(inside)))
            before = rates[-1]
    return bars


def bars(db: DuckDBPyConnection, minutes: int) -> list[tuple[object, ...]]:
    return db.execute(
        "SELECT code, bucket, open, high, low, close, volume, ticks FROM market.coin_bars "
        "WHERE minutes = ? ORDER BY code, bucket",
        [minutes],
    ).fetchall()


def as_of(ticks: Sequence[Tick], moment: datetime) -> list[tuple[str, float]]:
    latest: dict[str, Tick] = {}
    for tick in sorted(ticks, key=lambda tick: tick[1]):
        if tick[1] <= moment:
            latest[tick[0]] = tick
    return sorted((code, tick[2]) for code, tick in latest.items())


ticks_of = st.lists(
    st.tuples(
        st.sampled_from(["BTC", "0xBTC", "TRUE"]),
        st.integers(0, 3_600),  # half minutes: 30 hours, over two midnights
        st.floats(0, 100, width=16),
        st.floats(0, 100, width=16),
    ),
    unique_by=lambda drawn: drawn[:2],
    max_size=40,
)


@settings(max_examples=30)
@given(ticks_of, st.lists(st.integers(0, 3_600), max_size=3), st.integers(-100, 4_000))
def test_built_in_any_portions_bars_are_as_from_all_ticks_at_once(
    drawn: list[tuple[str, int, float, float]], portions: list[int], moment: int
) -> None:
    ticks = [(code, START + timedelta(seconds=30 * at), rate, volume) for code, at, rate, volume in drawn]
    with database() as db:
        done = START - timedelta(seconds=1)
        for end in sorted({*portions, 3_600}):
            until = START + timedelta(seconds=30 * end)
            add(db, [tick for tick in ticks if done < tick[1] <= until])
            done = until
            build(lambda: nullcontext(db), NOW)
        for minutes in WIDTHS:
            assert bars(db, minutes) == model(ticks, minutes)
        at = START + timedelta(seconds=30 * moment)
        found = db.execute("SELECT code, rate FROM market.as_of($1::TIMESTAMPTZ) ORDER BY code", [at]).fetchall()
        assert found == as_of(ticks, at)


def test_before_the_first_tick_there_is_nothing_to_build() -> None:
    with database() as db:
        assert build(lambda: nullcontext(db), NOW).since is None


def test_a_cycle_that_waited_in_the_spool_is_built_in() -> None:
    """Its ticks are older than others that were built already: half an hour back is built again."""
    with database() as db:
        on_time: list[Tick] = [("BTC", START + timedelta(minutes=n), float(n), 1.0) for n in (0, 40, 41)]
        add(db, on_time)
        build(lambda: nullcontext(db), NOW)
        late: list[Tick] = [("ETH", START + timedelta(minutes=20), 7.0, 1.0)]
        add(db, late)
        build(lambda: nullcontext(db), NOW)
        assert bars(db, 1) == model([*on_time, *late], 1)


def test_checkpoints_are_made_every_six_hours_and_only_once_settled() -> None:
    with database() as db:
        add(db, [("BTC", START, 1.0, 1.0), ("BTC", START + timedelta(hours=10), 2.0, 1.0)])
        assert (
            build(lambda: nullcontext(db), NOW).checkpoints == 2
        )  # 00:00 and 06:00, not yet what is under an hour old
        rows = db.execute("SELECT checkpoint_at, rate FROM market.coin_checkpoints ORDER BY 1").fetchall()
        midnight = datetime(2026, 11, 19, tzinfo=timezone.utc)
        assert rows == [(midnight, 1.0), (midnight + timedelta(hours=6), 1.0)]
        assert build(lambda: nullcontext(db), NOW).checkpoints == 0


def test_a_coin_that_loses_its_price_has_a_bar_that_says_so() -> None:
    with database() as db:
        add(db, [("BTC", START, 5.0, 1.0)])
        db.execute(
            "INSERT INTO market.coin_ticks (code, currency, observed_at, cycle_id) VALUES ('BTC', 'USD', ?, 'c')",
            [START + timedelta(minutes=1)],
        )
        build(lambda: nullcontext(db), NOW)
        assert [row[2:6] for row in bars(db, 1)] == [(5.0, 5.0, 5.0, 5.0), (5.0, 5.0, 5.0, None)]


def test_ticks_from_the_future_stop_no_bars() -> None:
    """The clock was a month ahead for a minute: a bar and a checkpoint of then would be the newest until then."""
    with database() as db:
        on_time: list[Tick] = [("BTC", START + timedelta(minutes=n), float(n), 1.0) for n in (0, 1)]
        add(db, [*on_time, ("BTC", START + timedelta(days=30), 9.0, 1.0)])
        build(lambda: nullcontext(db), START + timedelta(days=31))
        add(db, [("BTC", START + timedelta(minutes=2), 2.0, 1.0)])
        built = build(lambda: nullcontext(db), NOW)
        assert built.since == START.replace(hour=20, minute=31)
        assert bars(db, 1)[:3] == model([*on_time, ("BTC", START + timedelta(minutes=2), 2.0, 1.0)], 1)
