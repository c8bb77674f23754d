"""One cycle without Dagster: for tests of what it fetches, keeps and stores."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lcw_assets.defs.market.audit import PageAudit
from lcw_assets.defs.market.definitions import fetch_cycle
from lcw_assets.defs.market.load import CycleHooks
from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.fetch import Fetched, fetch_all
from lcw_assets.ingest.hooks import TableState
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Response
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tuning import Tuning
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.tables import Merged
from lcw_assets_tests.loads import Lines, folder_settings, make_runner
from lcw_assets_tests.patience import PATIENCE_S

_numbers = itertools.count()


# What `ops.cycles` calls columns of `ops.loads`.
NAMES = {
    "load_id": "cycle_id",
    "load_s": "cycle_s",
    "fetch_s": "pull_s",
    "records_seen": "coins_seen",
    "records_changed": "coins_changed",
}


@dataclass(frozen=True)
class StoredCycle:
    """`row` is its row of `ops.cycles`."""

    row: dict[str, Any]
    merged: Mapping[str, Merged]
    quarantined: Mapping[str, int]
    pages: PageAudit


@dataclass(frozen=True)
class Stored:
    cycles: list[StoredCycle]
    tables: Mapping[str, TableState]


@dataclass
class Bench:
    """A data folder, and cycles into it."""

    folder: Path
    said: Lines = field(default_factory=Lines)

    @property
    def spool(self) -> Spool:
        return Spool(self.folder / "spool" / "simulator")

    @property
    def database(self) -> Path:
        return self.folder / "demo.duckdb"

    def pull(
        self,
        address: str,
        *,
        coins: int = 300,
        seconds: float = PATIENCE_S,
        attempt_s: float = PATIENCE_S,
        in_flight: int = 4,
        meta: bool = True,
    ) -> Fetched:
        now = datetime.now(timezone.utc)
        cycle = self.cycle(now)
        deadline = Deadline.after(seconds)
        calls = plan_cycle(coins=coins, exchanges=100, currency="USD", meta=meta)
        with self.spool.open(cycle) as sink:
            sink.plan((call.endpoint, call.request) for call in calls)
            client = Client(
                address,
                source="simulator",
                sink=sink,
                tuning=Tuning(in_flight=in_flight),
                timeouts=Timeouts(PATIENCE_S, PATIENCE_S, attempt_s),
                retry=RetryPolicy(attempts=4, first_s=0.02),
            )
            with closing(client):
                fetched = fetch_all(
                    LiveCoinWatch(client, deadline=deadline, simulated=True),
                    calls,
                    deadline=deadline,
                    in_flight=in_flight,
                    log=self.said.append,
                    received=self.hooks.received,
                )
            sink.end(fetched.end(now))
        return fetched

    @staticmethod
    def cycle(now: datetime) -> Load:
        name = f"{now:%Y%m%dT%H%M%S}.{next(_numbers):04}Z-test"
        return Load.begun(name, "fetch_cycle", now, run_id="run", source="simulator", currency="USD")

    def spool_page(self, payload: str, *, limit: int = 100, meta: bool = True) -> None:
        """Spool a cycle that was answered with this page of coins, and nothing else."""
        now = datetime.now(timezone.utc)
        request = {"currency": "USD", "offset": 0, "limit": limit, "meta": meta}
        with self.spool.open(self.cycle(now)) as sink:
            sink.response(Response("simulator", "coins/list", request, now, now, 0.1, 200, len(payload), {}, payload))
            sink.end(FetchEnd(now, 0.1, []))

    @property
    def hooks(self) -> CycleHooks:
        return CycleHooks(folder_settings(self.folder), self.said)

    def store(self, clock: StoreClock | None = None, *, lock_wait_s: float = 0.2) -> Stored:
        runner = make_runner(fetch_cycle, self.hooks, folder_settings(self.folder), self.said)
        stored = runner.store(clock=clock, lock_wait_s=lock_wait_s)
        cycles = [
            StoredCycle({NAMES.get(name, name): value for name, value in one.row.items()}, **vars(one.outcome.data))
            for one in stored.loads
        ]
        return Stored(cycles, stored.tables)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_database(self.database, read_only=True) as db:
            return db.execute(sql).fetchall()
