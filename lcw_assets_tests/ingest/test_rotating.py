"""The spool of a load that runs for hours: files that can be stored one by one, and one such load at a time."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

from lcw_assets.ingest.load import Load
from lcw_assets.ingest.rotating import RotatingSpool, only_one
from lcw_assets.ingest.spool import Spool
from lcw_assets.transport.facts import Attempt, Response
from lcw_assets_tests.patience import PATIENCE_S, until

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
LOAD = Load.begun("a", "backfill", NOON, run_id="run", source="any-source")


def response(endpoint: str, text: str) -> Response:
    return Response("any-source", endpoint, {"page": text}, NOON, NOON, 0.1, 200, len(text), {}, text)


def attempt(number: int, outcome: str = "ok") -> Attempt:
    return Attempt("any-source", "prices", {}, NOON, number, False, 0.0, 0.1, 200, 1, outcome, None)  # type: ignore[arg-type]


def test_each_file_is_a_load_with_its_own_time(tmp_path: Path) -> None:
    seconds = iter((0, 60, 60, 90))
    spool = Spool(tmp_path)
    rotating = RotatingSpool(spool, LOAD, "prices", {}, clock=lambda: NOON + timedelta(seconds=next(seconds)))
    with rotating.open():
        rotating.rotate()
    read = [spool.read(path) for path in spool.pending()]
    assert [(one.load.load_id, one.load.clock_started_at, one.end.fetch_s) for one in read if one and one.end] == [
        ("a-00001", NOON, 60.0),
        ("a-00002", NOON + timedelta(minutes=1), 30.0),
    ]


def test_a_file_can_be_stored_while_the_next_one_is_written(tmp_path: Path) -> None:
    """Each says what it is of, and has the responses of the one endpoint that came while it was open."""
    spool = Spool(tmp_path)
    rotating = RotatingSpool(spool, LOAD, "prices", {"symbol": "BTC"})
    with rotating.open():
        rotating.response(response("prices", "1"))
        rotating.response(response("credits", "of no interest"))
        rotating.response(response("prices", "2"))
        assert rotating.responses == 2
        rotating.rotate()
        assert rotating.responses == 0
        [waiting] = spool.pending()
        read = spool.read(waiting)
        assert read
        assert [row["payload"] for row in read.responses] == ["1", "2"]
        assert [(row["endpoint"], row["request"]) for row in read.planned] == [("prices", {"symbol": "BTC"})]
        rotating.response(response("prices", "3"))
    last = spool.read(spool.pending()[1])
    assert last
    assert [row["payload"] for row in last.responses] == ["3"]


def test_requests_beyond_the_first_of_a_call_are_counted_over_all_files(tmp_path: Path) -> None:
    """They cost credits as well, those apart that were never sent."""
    rotating = RotatingSpool(Spool(tmp_path), LOAD, "prices", {})
    with rotating.open():
        for number in (1, 2, 3):
            rotating.attempt(attempt(number))
        rotating.rotate()
        rotating.attempt(attempt(2))
        rotating.attempt(attempt(3, "deadline"))
    assert rotating.repeats == 3


def test_what_comes_after_the_end_is_left_out(tmp_path: Path) -> None:
    """A request that was in flight when the load was cancelled."""
    spool = Spool(tmp_path)
    rotating = RotatingSpool(spool, LOAD, "prices", {})
    with rotating.open():
        pass
    rotating.response(response("prices", "late"))
    rotating.attempt(attempt(1))
    rotating.refused(response("prices", "late"), "no JSON")
    [path] = spool.pending()
    read = spool.read(path)
    assert read
    assert (read.responses, read.attempts, read.refused) == ([], [], [])


def test_one_such_load_at_a_time(tmp_path: Path) -> None:
    said: list[str] = []
    order: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with only_one(tmp_path / "lock", said.append):
            entered.set()
            leave.wait(PATIENCE_S)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(PATIENCE_S)

    def second() -> None:
        with only_one(tmp_path / "lock", said.append):
            order.append("second")

    other = threading.Thread(target=second)
    other.start()
    until(lambda: said)
    leave.set()
    thread.join()
    other.join()
    assert order == ["first", "second"]
    assert said == ["another backfill is running: this one waits until it has ended"]
