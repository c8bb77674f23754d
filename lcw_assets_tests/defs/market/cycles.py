"""One cycle without Dagster: for tests of what it asks, keeps and stores."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.defs.market.store import Stored, store_pending
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.fetch import Pulled, pull
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
from lcw_assets_tests.patience import PATIENCE_S

_numbers = itertools.count()


@dataclass
class Bench:
    """A data folder, and cycles into it."""

    folder: Path
    said: list[str] = field(default_factory=list)

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
    ) -> Pulled:
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
                pulled = pull(
                    LiveCoinWatch(client, deadline=deadline, simulated=True),
                    calls,
                    deadline=deadline,
                    in_flight=in_flight,
                    log=self.said.append,
                )
            sink.end(pulled.end(now))
        return pulled

    @staticmethod
    def cycle(now: datetime) -> Load:
        name = f"{now:%Y%m%dT%H%M%S}.{next(_numbers):04}Z-test"
        return Load.begun(name, "fetch_cycle", now, run_id="run", source="simulator", currency="USD")

    def spool_page(self, payload: str, *, limit: int = 100, meta: bool = True) -> None:
        """Spool a cycle that was answered with this page of coins, and nothing else."""
        now = datetime.now(timezone.utc)
        request = {"currency": "USD", "offset": 0, "limit": limit, "meta": meta}
        with self.spool.open(self.cycle(now)) as sink:
            sink.answer(Response("simulator", "coins/list", request, now, now, 0.1, 200, len(payload), {}, payload))
            sink.end(FetchEnd(now, 0.1, []))

    def store(self, clock: StoreClock | None = None) -> Stored:
        connect = partial(open_database, self.database, lock_wait_s=0.2)
        return store_pending(connect, self.spool, self.said.append, database=self.database, clock=clock)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_database(self.database, read_only=True) as db:
            return db.execute(sql).fetchall()
