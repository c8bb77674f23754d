"""A backfill as a run makes it, less Dagster: a real simulator, spool and database, and a clock that stands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from lcw_assets.coordination.credit_budget import CreditBudget
from lcw_assets.coordination.rate_limit import RateLimit
from lcw_assets.defs.history.backfill import Backfill, Progress, Result
from lcw_assets.defs.history.plan import Plan, Span, WindowRequest
from lcw_assets.defs.history.planning import read_covered
from lcw_assets.defs.history.series import SERIES
from lcw_assets.defs.history.store import StoredPoints, store_batches
from lcw_assets.ingest.clock import DAY
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.rotating import RotatingSpool
from lcw_assets.ingest.spool import Spool
from lcw_assets.sources.lcw.client import LiveCoinWatch
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Attempt, Outcome, Response
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tuning import Tuning
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.patience import PATIENCE_S, until

TODAY = datetime(2026, 11, 20, tzinfo=timezone.utc)
NOW = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)

# When backfills run: Live Coin Watch is done with restating what was up to `TODAY`.
LATER = NOW + 2 * DAY


class Clocked(RotatingSpool):
    """What comes, with the time of the test: the transport stamps it by the clock on the wall."""

    def __init__(self, now: datetime, *arguments: Any) -> None:
        super().__init__(*arguments, clock=lambda: now)
        self._now = now

    def attempt(self, attempt: Attempt) -> None:
        super().attempt(replace(attempt, started_at=self._now))

    def response(self, response: Response) -> None:
        super().response(replace(response, requested_at=self._now, received_at=self._now))


@dataclass(frozen=True)
class Paced(Plan):
    """A plan whose every call waits until all before it were counted: so that each run of it is the same.

    `count` takes each: `report=plan.count, report_every_s=0`. A call that is left out is never reported.
    """

    counted: list[Progress] = field(default_factory=list)

    def requests(self) -> Iterator[WindowRequest]:
        for number, request in enumerate(super().requests()):
            until(lambda: self.ended >= number, every_s=0.0005)  # noqa: B023
            yield request

    @property
    def ended(self) -> int:
        left_out = self.calls - self.counted[-1].planned if self.counted else 0
        return len(self.counted) + left_out

    def count(self, progress: Progress) -> None:
        self.counted.append(progress)


@dataclass
class Desk:
    """A data folder, and what a user does with history in it."""

    folder: Path
    now: datetime = LATER
    logged: list[str] = field(default_factory=list)
    in_flight: int = 4
    runs: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "points.duckdb"

    @property
    def spool(self) -> Spool:
        return Spool(self.folder / "spool")

    @contextmanager
    def open(self) -> Iterator[DuckDBPyConnection]:
        with open_database(self.database) as db:
            yield db

    def query(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with self.open() as db:
            return db.execute(sql, parameters).fetchall()

    def store(self) -> StoredPoints:
        connect = partial(open_database, self.database)
        return store_batches(connect, self.spool, self.logged.append, now=self.now)

    def plan(self, series: str, wanted: Span, codes: Sequence[str], today: datetime = TODAY) -> Plan:
        self.store()
        with self.open() as db:
            covered, unknown = read_covered(db, SERIES[series], "USD", codes, self.now)
        return Plan(SERIES[series], wanted, today, covered, unknown)

    def backfill(
        self,
        address: str,
        plan: Plan,
        *,
        reserve: int = 0,
        report: Callable[[Progress], None] = lambda _progress: None,
        report_every_s: float = 0.2,
        rate_limit: RateLimit | None = None,
        store: Callable[[], StoredPoints] | None = None,
    ) -> Result:
        planned = {"series": plan.series.name, "begins": True}
        spool = Clocked(self.now, self.spool, self.batch(), plan.series.endpoint, planned)
        client = Client(
            address,
            source="simulator-history",
            sink=spool,
            tuning=Tuning(in_flight=self.in_flight),
            rate_limit=rate_limit,
            timeouts=Timeouts(PATIENCE_S, PATIENCE_S, PATIENCE_S),
            retry=RetryPolicy(attempts=3, first_s=0.02, longest_s=0.1),
        )
        api = LiveCoinWatch(client, deadline=Deadline.after(float("inf")), simulated=True)
        return Backfill(
            plan,
            api,
            spool,
            CreditBudget(self.folder / "credits", reserve, self.now),
            store=store or self.store,
            in_flight=self.in_flight,
            log=self.logged.append,
            report=report,
            report_every_s=report_every_s,
        ).run()

    def batch(self) -> Load:
        self.runs += 1
        # Another name in each process, and in order.
        name = f"{self.now:%Y%m%dT%H%M%S}Z-{time.time_ns()}-run{self.runs:05}"
        return Load.begun(
            name, "backfill", self.now, run_id=f"run{self.runs}", source="simulator-history", currency="USD"
        )

    def receive(self, *received: Any, **options: Any) -> StoredPoints:
        """Store one response, given as for `spool_response`."""
        self.spool_response(*received, **options)
        return self.store()

    def spool_response(
        self,
        series: str,
        code: str,
        window: Span,
        points: Sequence[Any],
        at: datetime = NOW,
        *,
        begins: bool = True,
    ) -> None:
        """Spool one response, as if it had come `at` that time."""
        payload = json.dumps({"history": list(points)} if SERIES[series].per_coin else list(points))
        self.spool_payload(series, code, window, payload, at, begins=begins)

    def spool_attempt(
        self, series: str, code: str, outcome: Outcome, error: str, *, window: Span | None = None, endpoint: str = ""
    ) -> None:
        """Spool one attempt that failed: at a window of a series, or at another endpoint."""
        made = SERIES[series]
        request = made.request(code, "USD", window.start, window.end) if window else {}
        attempt = Attempt(
            "simulator", endpoint or made.endpoint, request, self.now, 1, False, 0.0, 0.1, 400, 50, outcome, error
        )
        with self.spool.open(self.batch()) as writer:
            writer.plan([(made.endpoint, {"series": series, "begins": True})])
            writer.attempt(attempt)
            writer.end(FetchEnd(self.now, 0.0, []))

    def spool_payload(
        self, series: str, code: str, window: Span, payload: str, at: datetime = NOW, *, begins: bool = True
    ) -> None:
        """The same, of whatever came."""
        made = SERIES[series]
        request = made.request(code, "USD", window.start, window.end)
        with self.spool.open(self.batch()) as writer:
            writer.plan([(made.endpoint, {"series": series, "begins": begins})])
            writer.response(Response("simulator", made.endpoint, request, at, at, 0.1, 200, len(payload), {}, payload))
            writer.end(FetchEnd(at, 0.0, []))
