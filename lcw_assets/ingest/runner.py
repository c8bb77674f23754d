"""The one runner of every load: fetch into the spool, store what waits, once, and leave facts. Knows no Dagster."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.connect import connect, connect_all
from lcw_assets.ingest.declaration import DeclarationError, LoadDeclaration, Table
from lcw_assets.ingest.facts import PHASES
from lcw_assets.ingest.fetch import Fetched, fetch_all
from lcw_assets.ingest.hooks import Finding, Hooks, Log, Outcome, StoredLoad, TableState
from lcw_assets.ingest.load import Load, PlannedCall
from lcw_assets.ingest.machine import measure_machine, process_started_at
from lcw_assets.ingest.run_clock import RunClock
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.ingest.standard_checks import count_recent, load_findings, read_tables, table_findings
from lcw_assets.ingest.store import store_once, store_pending
from lcw_assets.ingest.tuning import Recent, Switches, read_breaker, read_recent, tune
from lcw_assets.rounding import rounded, seconds
from lcw_assets.settings import Settings
from lcw_assets.sources.spec import Group, Source
from lcw_assets.transport.cache import ResponseCache
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.tuning import Tuning
from lcw_assets.warehouse.errors import LockedError, WarehouseError
from lcw_assets.warehouse.lock import LOCK_WAIT_S
from lcw_assets.warehouse.tables import append

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")

__all__ = ["Runner", "Stored", "process_started_at"]

# Reads something else about the latest load while the database is open, for checks that another concept adds.
ReadExtra = Callable[["DuckDBPyConnection", Mapping[str, Any]], Any]


@dataclass
class Stored:
    """What a store step did: the loads it stored, oldest first, and how each table is now.

    `recent` counts the loads of the last hour, and those that failed. `extra` is what `ReadExtra` gave.
    """

    clock: StoreClock
    loads: list[StoredLoad] = field(default_factory=list)
    tables: Mapping[str, TableState] = field(default_factory=dict)
    recent: tuple[int, int] = (0, 0)
    extra: Any = None

    def of_run(self, run_id: str) -> StoredLoad | None:
        return next((stored for stored in reversed(self.loads) if stored.load.run_id == run_id), None)


@dataclass(frozen=True)
class Runner:
    """A load of one kind, in one run. `open_database` is the warehouse's."""

    declaration: LoadDeclaration
    hooks: Hooks
    settings: Settings
    open_database: Callable[..., AbstractContextManager[DuckDBPyConnection]]
    log: Log

    @property
    def spool(self) -> Spool:
        return Spool(self.settings.of(self.declaration.source).spool_dir)

    def prepare(self) -> None:
        """Let the hooks read tables. Without them (no tables yet, a lock) they plan without."""
        if self.declaration.prepares:
            with _collector_paused():
                self._read_before(self.hooks.prepare)

    def fetch(self, load: Load, clock: RunClock, deadline_s: float, parts: Collection[str]) -> tuple[Fetched, Spooled]:
        """Make the calls for these parts; the responses are in the spool. Raises `SpoolError`."""
        declaration, hooks, settings = self.declaration, self.hooks, self.settings
        planned = hooks.plan(clock)
        for call in planned:
            if call.part not in declaration.raw:
                raise DeclarationError(
                    f"the load {declaration.job} plans {call.label} for raw/{call.part}: declare it in raw"
                )
        calls = [call for call in planned if call.part in parts]
        recent = self._recent(load.source, clock.now) if declaration.adapts else Recent()
        switches = Switches(
            in_flight=settings.max_in_flight,
            hedging=settings.hedging and declaration.adapts,
            adaptive_timeouts=settings.adaptive_timeouts,
            adaptive_concurrency=settings.adaptive_concurrency,
            breaker=settings.breaker,
        )
        tuning, breaker = tune(recent, switches), read_breaker(recent, switches, clock.now)
        if isinstance(declaration.source, Group):
            tuning = Tuning(in_flight=max(1, len(calls)))  # a call or two for each source
        deadline = Deadline.after(clock.fetch_time_s(deadline_s))
        self.log.info(f"{load.load_id}: {len(calls)} calls, {tuning.in_flight} at once, {load.source}")
        with self.spool.open(load) as writer:
            if declaration.resources:
                writer.machine(measure_machine("start", spooled=len(self.spool.files()), database=settings.database))
            writer.plan(((call.endpoint, call.request) for call in calls), [call.source for call in calls])
            if breaker.state == "open":
                fetched = Fetched.nothing(calls, "breaker_open", str(breaker))
            else:
                with self._connect(calls, sink=writer, deadline=deadline, tuning=tuning) as api:
                    fetched = fetch_all(
                        api,
                        calls,
                        deadline=deadline,
                        in_flight=tuning.in_flight,
                        log=self.log.info,
                        received=hooks.received,
                        probe=breaker.state == "half-open",
                    )
            fetched.of_load = len(planned)
            end = fetched.end(load.started_at)
            writer.end(end)
        missing = f", {len(fetched.missing)} missing" if fetched.missing else ""
        self.log.info(f"fetched in {seconds(fetched.seconds)}{missing}")
        return fetched, writer.spooled(load, end)

    def store(
        self,
        *,
        own: Spooled | None = None,
        lock_wait_s: float = LOCK_WAIT_S,
        read_extra: ReadExtra | None = None,
        clock: StoreClock | None = None,
    ) -> Stored:
        """Store all that waits, in order, each load once. Raises `WarehouseError`; the spool then keeps what it has.

        `own` is the load that this process has just spooled: its file is not read again.
        """
        stored = Stored(clock or StoreClock())

        def finish(db: DuckDBPyConnection, loads: list[StoredLoad]) -> None:
            self.hooks.finish(db, loads)
            stored.tables = read_tables(db, self.declaration, self.hooks.confirmed_at, self.hooks.now)
            if self.declaration.failures_under is not None:
                stored.recent = count_recent(db, self.declaration.job, self.hooks.now)
            if read_extra and loads:
                stored.extra = read_extra(db, loads[-1].row)

        with _collector_paused():
            stored.loads = store_pending(
                partial(self.open_database, lock_wait_s=lock_wait_s),
                self.spool,
                self.log.warning,
                partial(self._store_once, stored.clock),
                clock=stored.clock,
                own=own,
                begin=self.hooks.begin,
                finish=finish,
            )
        return stored

    def _store_once(self, clock: StoreClock, db: DuckDBPyConnection, spooled: Spooled) -> StoredLoad | None:
        done = store_once(db, spooled, clock, self._store_tables, detail=self.hooks.detail)
        self.hooks.committed(db, spooled.load, done.outcome if done else None)
        return done

    def _store_tables(self, db: DuckDBPyConnection, spooled: Spooled) -> Outcome:
        if self.declaration.resources:
            self._append_resources(db, spooled)
        return self.hooks.store(db, spooled)

    def _append_resources(self, db: DuckDBPyConnection, spooled: Spooled) -> None:
        machine = measure_machine("end", spooled=len(self.spool.files()), database=self.settings.database)
        key = {"cycle_id": spooled.load.load_id}
        append(db, "ops.resources", [key | dict(row) for row in (*spooled.machine, machine)])

    def findings(self, stored: Stored, done: StoredLoad, *, failed: bool) -> list[Finding]:
        """The results of the checks of this run's load; of one that `failed`, only those that need no data."""
        now = datetime.now(timezone.utc)
        found = list(load_findings(self.declaration, done, stored.tables, stored.recent, now))
        if not failed:
            found += [*table_findings(self.declaration, stored.tables), *self.hooks.findings(done)]
        names = self.declaration.check_names
        return [replace(finding, check=names.get(finding.check, finding.check)) for finding in found]

    def summary(self, table: Table, stored: Stored, done: StoredLoad) -> dict[str, Any]:
        """Metadata of a table's materialization besides its rows: for the facts, how long each phase took."""
        if table is not self.declaration.facts:
            return {"seconds": rounded(done.row["store_s"]), **self.hooks.summary(table.name, done)}
        row = done.row
        names = self.hooks.names
        return {
            **{names.get(name, name): rounded(row[name]) for name in ("load_s", *PHASES) if row[name] is not None},
            **{name: row[name] for name in ("calls", "retries", "hedges", "bytes")},
            "missing": len(row["missing"]),
            "older_loads_stored": len(stored.loads) - 1,
            **({"late_tick": "measured from the run's creation"} if row["late_tick"] else {}),
            **self.hooks.summary(table.name, done),
        }

    def locked_out(self, run_id: str, error: LockedError) -> None:
        """Log that the database is open elsewhere, and write that into the run's own file."""
        if error.wait:
            self.spool.locked_out(run_id, error.wait, self.log.warning)
        self.log.warning(
            f"spooled: {error}. Waiting in {self.spool.folder}: {len(self.spool.pending())}; the next run of "
            f"{self.declaration.job} that gets in stores them all"
        )

    def _connect(self, calls: Sequence[PlannedCall], **given: Any) -> AbstractContextManager[Any]:
        source = self.declaration.source
        if isinstance(source, Source):
            return connect(source, self.settings, **given)
        cache = ResponseCache(self.settings.data_dir / "cache")
        return connect_all(source, calls, self.settings, cache=cache, **given)

    def _recent(self, source: str, now: datetime) -> Recent:
        """The facts to adapt to. Without them a load starts cold, and does not fail."""
        return self._read_before(lambda db: read_recent(db, source, now)) or Recent()

    def _read_before(self, read: Callable[[DuckDBPyConnection], T]) -> T | None:
        """What `read` gets of the tables before a fetch; null if there are none yet, or the database is locked."""
        if not self.settings.database.exists():
            return None
        try:
            # Other loads that start with the same tick keep the file open for a tenth of a second.
            with self.open_database(read_only=True, lock_wait_s=0.3, config={"threads": 1}) as db:
                return read(db)
        except (WarehouseError, duckdb.Error) as error:
            self.log.info(f"no facts to adapt to: {error}")
            return None


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Tens of thousands of records live until they are stored: to look for garbage among them, again and again, finds
    none and takes time (`python -m benchmarks.rounds`, 1,000 symbols).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
