"""The row of `ops.loads`, on a clock that the test sets."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.facts import load_row
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.transport.facts import Response
from lcw_assets.warehouse.errors import Holder, LockWait

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_the_phases_add_up_from_the_tick_to_the_commit(tmp_path: Path) -> None:
    """A second in the queue, two to start, four to fetch, a half to hand over; three for the lock, two to store."""
    spool = Spool(tmp_path)
    load = Load("a", "fetch_cycle", "run", NOON, NOON, after(3), 1.0, 2.0, False, "lcw", "USD")
    with spool.open(load) as writer:
        for seconds in (4.0, 6.5, 5.0):
            writer.response(Response("lcw", "status", {}, after(3), after(seconds), 0.1, 200, 2, {}, "{}"))
        writer.end(FetchEnd(after(7), 4.0, []))
    [path] = spool.pending()
    spooled = spool.read(path)
    assert spooled
    walls, watches = iter((after(7.5), after(12.5))), iter((100.0, 105.0))
    clock = StoreClock(now=lambda: next(walls), seconds=lambda: next(watches))
    clock.waited(LockWait(after(7.5), 3.0, Holder()))
    row = load_row(spooled, clock, status="complete", missing=[], seen=2, changed=1, quarantined=0)
    phases = [row[f"{name}_s"] for name in ("queue", "start", "fetch", "handover", "store", "lock_wait")]
    assert phases == [1.0, 2.0, 4.0, 0.5, 2.0, 3.0]
    assert row["load_s"] == pytest.approx(sum(phases))
    assert row["observed_at"] == after(6.5)
    assert (row["kind"], row["records_seen"], row["records_changed"], row["detail"]) == ("fetch_cycle", 2, 1, {})
