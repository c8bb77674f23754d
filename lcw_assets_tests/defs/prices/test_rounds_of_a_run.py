"""Several rounds in one run: what a kill between or within them, or a database that is open elsewhere, costs."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG
from lcw_assets.settings import load_settings
from lcw_assets.simulator.faults import Fault
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.spec import group
from lcw_assets_tests.child_processes import child_processes
from lcw_assets_tests.defs.prices.rounds import FEW, SEVEN
from lcw_assets_tests.defs.prices.test_quote_prices import RunPrices, query, run_prices, venues
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.patience import until

__all__ = ["run_prices", "venues"]

KILLS = 8


def test_killed_at_random_moments_within_and_between_rounds(tmp_path: Path) -> None:
    """A run of a tick 38 s ago has rounds at once, after 2 s and after 7 s."""
    moments, log = random.Random(20261128), tmp_path / "log"  # noqa: S311
    simulator = Simulator(**FEW, clock=lambda: datetime.now(timezone.utc))
    with (
        simulator.serve() as address,
        child_processes("lcw_assets_tests.defs.prices.round_children", log=log) as children,
    ):
        variables = {
            f"{one.variables}_BASE_URL": simulator.address_of(one.simulator, address)
            for one in group("prices").sources.values()
        }
        rounds = {**variables, "PRICES_ROUND_S": "5", "TICK_S_AGO": "38"}

        def fetches() -> int:
            return log.read_bytes().count(b"fetched in")

        killed_between = 0
        for number in range(KILLS):
            before = fetches()
            children.begin(**rounds)
            if number % 2:  # from the first fetch's end to the second round
                until(lambda seen=before: fetches() > seen or children.has_ended(), every_s=0.002)  # type: ignore[misc]
                time.sleep(moments.choice((moments.uniform(0, 0.2), moments.uniform(0.5, 2.5))))
            else:
                time.sleep(moments.uniform(0.05, 0.8))
            killed_between += fetches() > before and not children.has_ended()
            children.kill()
            children.wait()
        children.begin(**{**rounds, "TICK_S_AGO": "46"})  # one round, which stores what waits
        children.wait()
        assert killed_between, "no kill came after a round"
        finished = fetches()

    spool = Spool(load_settings().of(group("prices")).spool_dir)
    assert spool.pending() == [] and not [*spool.folder.glob("*.unreadable")]
    loads = dict(query("SELECT load_id, status FROM ops.loads WHERE kind = 'quote_prices'"))
    assert [*loads.values()].count("complete") >= finished > KILLS // 2, "what was fetched is stored"
    assert len(query("SELECT load_id FROM ops.loads")) == len(loads), "once"
    for table, key in [
        ("prices.quotes", "source, market"), ("prices.source_loads", "source"), ("prices.consensus", "symbol"),
        ("prices.rates", "currency"),
    ]:  # fmt: skip
        assert query(f"SELECT load_id, {key}, count(*) FROM {table} GROUP BY ALL HAVING count(*) > 1") == []
        assert {one for (one,) in query(f"SELECT DISTINCT load_id FROM {table}")} <= {*loads}
    whole = {load_id for load_id, status in loads.items() if status == "complete"}
    found = dict(query("SELECT load_id, count(DISTINCT source) FROM prices.quotes GROUP BY ALL"))
    assert {found[load_id] for load_id in whole} == {7}, "each of these is whole"
    for table, key in (("latest", "symbol"), ("source_health", "source")):
        assert query(f"SELECT count(*) - count(DISTINCT {key}) FROM prices.{table}") == [(0,)]
    [(newest,)] = query("SELECT max_by(load_id, priced_at) FROM prices.quotes")
    assert {one for (one,) in query("SELECT load_id FROM prices.latest")} == {newest}


def test_a_round_that_finds_the_database_open_elsewhere_is_stored_by_the_next_one(
    run_prices: RunPrices, venues: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has it open during the first of two rounds of a run."""
    venues()
    assert run_prices().success
    monkeypatch.setenv("PRICES_ROUND_S", "5")
    settings = load_settings()
    spool = Spool(settings.of(group("prices")).spool_dir)

    ended = threading.Event()

    def is_locked_out() -> bool:
        return any(b'"lock_wait"' in path.read_bytes() for path in spool.pending())

    def close_when_it_was_locked_out(holder: Any) -> None:
        until(lambda: is_locked_out() or ended.is_set(), every_s=0.01)
        holder.stdin.close()

    tick = datetime.now(timezone.utc) - timedelta(seconds=41)
    with held_open(settings.database) as holder:
        closing = threading.Thread(target=close_when_it_was_locked_out, args=[holder])
        closing.start()
        result = run_prices(tags={SCHEDULED_AT_TAG: tick.isoformat()})
        ended.set()
        closing.join()
    assert result.success
    loads = query("SELECT load_id, status FROM ops.loads ORDER BY load_id")
    assert len(loads) == 3
    assert {status for _, status in loads} == {"complete"}
    assert spool.pending() == []
    assert query("SELECT count(DISTINCT load_id) FROM prices.quotes") == [(3,)]
    assert len(query("SELECT * FROM ops.lock_waits WHERE NOT opened")) == 1


def test_rounds_of_one_run_know_what_the_one_before_has_stored(
    run_prices: RunPrices, venues: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ban in the first keeps the source out of the second, and no list is requested twice."""
    simulator = venues(binance=Fault("ban"))
    monkeypatch.setenv("PRICES_ROUND_S", "5")
    tick = datetime.now(timezone.utc) - timedelta(seconds=42)
    assert run_prices(tags={SCHEDULED_AT_TAG: tick.isoformat()}).success
    rounds = query("SELECT list(source ORDER BY source) FROM prices.source_loads GROUP BY load_id ORDER BY load_id")
    called = [{*names} for (names,) in rounds]
    assert called == [{*SEVEN}, {*SEVEN} - {"binance"}]
    banned = [entry for entry in simulator.ledger.entries if entry.provider == "binance"]
    assert len([entry for entry in banned if entry.status == 418]) <= 2, "its tickers, and its list"
