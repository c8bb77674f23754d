"""What a backfill remembers, and for how long; and what it does in the middle of its work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from lcw_assets.defs.history import backfill as module
from lcw_assets.defs.history.backfill import Progress
from lcw_assets.defs.history.plan import Plan, Span, WindowRequest
from lcw_assets.defs.history.store import StoredPoints
from lcw_assets.ingest.clock import DAY
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.history.harness import TODAY, Desk, Paced

YEAR = Span(TODAY - 365 * DAY, TODAY)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_low_credits_are_low_until_midnight_and_no_longer(desk: Desk, start_simulator: StartSimulator) -> None:
    """On the next day it asks how many there are, and goes on."""
    _, address = start_simulator(credits_per_day=30)
    plan = desk.plan("coin_daily", YEAR, ["BTC", "ETH", "DOGE"])
    assert desk.backfill(address, plan, reserve=20).status == "credits"
    simulator, address = start_simulator()  # with all of a new day's
    desk.now = (desk.now + DAY).replace(hour=0, minute=0) - timedelta(minutes=1)
    assert desk.backfill(address, plan, reserve=20).status == "credits"
    assert simulator.ledger.entries == ()
    desk.now += timedelta(minutes=1)
    assert desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC", "ETH", "DOGE"]), reserve=20).status == "done"


def test_a_coin_that_was_unknown_is_requested_again_a_day_later(desk: Desk, start_simulator: StartSimulator) -> None:
    """It may be listed by then."""
    _, address = start_simulator()
    desk.backfill(address, desk.plan("coin_daily", YEAR, ["NOSUCH", "BTC"]))
    desk.now += DAY - timedelta(seconds=1)
    assert desk.plan("coin_daily", YEAR, ["NOSUCH", "BTC"]).calls == 0
    desk.now += timedelta(seconds=1)
    assert [ask.code for ask in desk.plan("coin_daily", YEAR, ["NOSUCH", "BTC"]).requests()] == ["NOSUCH"] * 4


def test_a_call_that_failed_is_tried_again_at_the_end(desk: Desk, start_simulator: StartSimulator) -> None:
    """With all its repeats, three of them; by then the server may be well."""

    def is_ill_for_a_while(draw: Draw) -> Fault:
        return Fault("error", status=500) if '"ETH"' in draw.content and draw.turn <= 3 else Fault()

    simulator, address = start_simulator(profile=is_ill_for_a_while)
    result = desk.backfill(address, desk.plan("coin_daily", Span(TODAY - 100 * DAY, TODAY), ["BTC", "ETH", "DOGE"]))
    assert (result.status, result.failed) == ("done", [])
    assert len([entry for entry in simulator.ledger.entries if "ETH" in entry.request]) == 4
    assert desk.query("SELECT count(DISTINCT code) FROM history.coin_daily") == [(3,)]


def test_what_comes_is_stored_while_more_comes(
    desk: Desk, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every so many responses: a process that is killed after hours leaves little for the next one to store."""
    monkeypatch.setattr(module, "_BATCH_RESPONSES", 20)
    there: list[int] = []

    def store() -> StoredPoints:
        stored = desk.store()
        there.append(desk.query("SELECT count(*) FROM history.asked")[0][0])
        return stored

    plan = Paced(**vars(desk.plan("coin_5min", Span(TODAY - 30 * DAY, TODAY), ["BTC"])))
    assert plan.calls == 90
    address = start_simulator()[1]
    result = desk.backfill(address, plan, store=store, report=plan.count, report_every_s=0.0)
    assert result.status == "done"
    assert there == [20, 40, 60, 80, 90]


@dataclass(frozen=True)
class HeldUp(Plan):
    """A plan of which only so many windows are requested, until the credits have been requested once more."""

    first: int = 0
    counted: list[int] = field(default_factory=list)

    def requests(self) -> Iterator[WindowRequest]:
        for number, request in enumerate(super().requests()):
            while number >= self.first and len(self.counted) < self.first:
                time.sleep(0.001)
            yield request

    def count(self, progress: Progress) -> None:
        self.counted.append(progress.calls)


def test_calls_that_are_on_their_way_are_spent_already(
    desk: Desk, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It requests the credits while three calls are out that the server has not counted yet."""
    monkeypatch.setattr(module, "_CREDITS_EVERY", 10)

    def the_last_are_slow(draw: Draw) -> Fault:
        return Fault(delay_s=1.0) if 12 <= draw.number <= 14 and draw.endpoint != "credits" else Fault()

    simulator, address = start_simulator(profile=the_last_are_slow, credits_per_day=60)
    made = desk.plan("coin_5min", Span(TODAY - 30 * DAY, TODAY), ["BTC"])
    plan = HeldUp(**vars(made), first=13)
    result = desk.backfill(address, plan, reserve=40, report=plan.count, report_every_s=0.0)
    assert result.status == "credits"
    spent = len([entry for entry in simulator.ledger.entries if entry.good])
    assert 60 - spent >= 40
