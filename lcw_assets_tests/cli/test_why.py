"""`make why`: which cycle, its phases, its calls, its cause, its run; and what it says where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pytest
from duckdb import DuckDBPyConnection

from lcw_assets.__main__ import main
from lcw_assets.cli import CommandError
from lcw_assets.cli.why import why
from lcw_assets.ingest.load import Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.settings import DataSettings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.defs.monitoring.facts import NOON, call, cycle, load

NOW = NOON + timedelta(hours=3)
MINUTE = timedelta(minutes=1)


@contextmanager
def facts() -> Iterator[DuckDBPyConnection]:
    settings = DataSettings()
    settings.data_dir.mkdir(exist_ok=True)
    with open_database(settings.database) as db:
        yield db


def lines(at: str = "", now: datetime = NOW) -> dict[str, str]:
    """The lines by their first word; those that share one are joined."""
    found: dict[str, str] = {}
    for line in why(DataSettings(), at, now):
        name, _, said = line.partition(" ")
        found[name] = f"{found[name]} | {said.strip()}" if name in found else said.strip()
    return found


def a_slow_night() -> None:
    """A cycle a minute from noon on; the third was slow, for a page that was refused and then took nine seconds."""
    rows = [cycle(number, NOON + number * MINUTE, 15.0 if number == 2 else 1.2) for number in range(4)]
    slow = {**rows[2], "calls": 14, "retries": 1}
    page = {"request": {"offset": 600}}
    calls = [
        call(slow, "coins/list", 0.1, **page, http_status=503, outcome="server_error", error="the server said: busy"),
        call(slow, "coins/list", 9.4, **page, attempt=2, waited_s=5.0),
        call(slow, "status", 0.1),
        call(rows[1], "exchanges/list", 8.0),
    ]
    with facts() as db:
        load(db, "ops.cycles", [rows[0], rows[1], slow, rows[3]])
        load(db, "ops.calls", calls)


def test_a_slow_cycle_is_explained() -> None:
    a_slow_night()
    said = lines("12:02")
    assert said["cycle"].startswith("20261120T120200.000Z-00000002: complete, 3 h ago, from lcw")
    assert said["seconds"].startswith("15.00 = queue 0.05 + start 0.10 + pull 14.80 + ")
    assert said["times"] == ("tick of 12:02:00 UTC; pull began 12:02:00 UTC, stored 12:02:15 UTC")
    assert "coins/list offset 600 took 9.40 s on attempt 2 after a 503" in said["cause"]
    assert said["slow"] == (
        "coins/list offset 600, attempt 1: 0.100 s: a 503 (the server said: busy) | "
        "coins/list offset 600, attempt 2: 9.40 s, waited 5.00 s before"
    )
    assert said["run"] == "http://127.0.0.1:3000/runs/run-2"


@pytest.mark.parametrize(
    "at",
    ["12:02", "12:02:07", "2026-11-20T12:02", "2026-11-20 12:02", "2026-11-20T12:02Z", "2026-11-20T13:02+01:00"],
)
def test_a_moment_is_read_as_people_write_it(at: str) -> None:
    a_slow_night()
    assert lines(at)["cycle"].startswith("20261120T120200.000Z")


def test_without_a_moment_it_is_the_last_cycle() -> None:
    a_slow_night()
    assert lines()["cycle"].startswith("20261120T120300.000Z")


def test_a_cycle_within_the_limit_is_called_no_slow_one() -> None:
    a_slow_night()
    assert lines("12:03")["cause"].startswith("nothing was slow, the limit is 30 s. What took longest: ")
    assert lines("12:03")["slow"] == "no call failed, and none took 3 s"


def test_a_cycle_over_the_limit_has_its_cause_alone() -> None:
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 40.0, queue_s=35.0, pull_s=4.5)])
    assert lines("12:00")["cause"].startswith("the run waited 35.0 s in Dagster's queue before its process existed")


def test_a_moment_within_a_long_cycle_finds_it() -> None:
    """It began before that minute, and no other began in it."""
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 200.0), cycle(2, NOON + 3 * MINUTE, 1.0)])
    assert lines("12:02")["cycle"].startswith("20261120T120000.000Z")
    both = lines("12:03")
    assert both["cycle"].startswith("20261120T120300.000Z")
    assert both["others"] == "at the same time: 20261120T120000.000Z-00000001"


def test_a_cycle_whose_clock_went_back_says_so() -> None:
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, None)])
    said = lines()
    assert said["seconds"].startswith("unknown = ")
    assert said["cause"] == "it has no usable time: the clock of this machine went back while it ran"


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("11:30", "no cycle at 11:30:00 UTC"),
        ("15:01", "15:01:00 UTC is in the future: it is 15:00:00 UTC"),
        ("2026-11-19T12:02", "no cycle at 2026-11-19 12:02:00 UTC"),
    ],
)
def test_a_moment_without_a_cycle_names_the_nearest(at: str, says: str) -> None:
    a_slow_night()
    first, *nearest = why(DataSettings(), at, NOW)
    assert first == says
    assert nearest == (
        ["nearest  20261120T120300.000Z-00000003: make why AT=12:03:00"]
        if at == "15:01"
        else ["nearest  20261120T120000.000Z-00000000: make why AT=12:00:00"]
    )


def test_the_nearest_are_named_with_their_day() -> None:
    a_slow_night()
    said = why(DataSettings(), "2026-11-20T13:00", NOW + timedelta(days=2))
    assert said[1] == "nearest  20261120T120300.000Z-00000003: make why AT=2026-11-20T12:03:00"


@pytest.mark.parametrize("at", ["25:00", "noon", "14", "2026-13-01T00:00", "14:32 tomorrow"])
def test_what_is_no_moment_is_refused_in_one_line(at: str) -> None:
    a_slow_night()
    with pytest.raises(CommandError, match="it must be a time in UTC, such as 14:32 or 2026-11-28T14:32") as raised:
        why(DataSettings(), at, NOW)
    assert "\n" not in str(raised.value)


def test_a_cycle_that_still_runs_is_named() -> None:
    a_slow_night()
    settings, began = DataSettings(), NOW - timedelta(seconds=20)
    running = Load.begun(
        "20261120T145940.000Z-5b9fe820", "fetch_cycle", began, run_id="5b9fe820-9a85", source="lcw", currency="USD"
    )
    with Spool(settings.of(LCW).spool_dir).open(running):
        said = lines("14:59")
    assert said["no"].startswith("cycle at 14:59:00 UTC")
    assert said["spooled"].startswith("20261120T145940.000Z-5b9fe820: ")


def test_an_empty_database_has_none() -> None:
    with facts():
        pass
    assert why(DataSettings(), "", NOW) == [f"no cycle in {DataSettings().database} yet"]
    assert why(DataSettings(), "12:00", NOW) == ["no cycle at 12:00:00 UTC"]


def test_foreign_words_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_slow_night()
    with facts() as db:
        db.execute("UPDATE ops.calls SET error = chr(27) || '[2J' WHERE outcome <> 'ok'")
    monkeypatch.setattr(sys, "argv", ["lcw_assets", "why", "2026-11-20T12:02"])
    assert main() == 0
    said = capsys.readouterr().out
    assert "\\x1b[2J" in said
    assert "\x1b" not in said


def test_moments_are_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    a_slow_night()
    assert lines("12:02", NOW.astimezone(timezone.utc))["cycle"].startswith("20261120T120200.000Z")
