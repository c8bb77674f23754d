"""One execution of the step of a load, as Dagster sees it. What it does is in `runner.py`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg

from lcw_assets.ingest.declaration import LoadDeclaration
from lcw_assets.ingest.hooks import Finding, Markdown
from lcw_assets.ingest.load import Load, load_id
from lcw_assets.ingest.run_clock import RunClock, read_clock
from lcw_assets.ingest.spool_file import Spooled, SpoolError
from lcw_assets.orchestration.console import RESULT
from lcw_assets.orchestration.evaluations import evaluations, is_selected
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG, TagError, scheduled_at
from lcw_assets.orchestration.run_settings import run_settings
from lcw_assets.rounding import rounded
from lcw_assets.sources.spec import Source
from lcw_assets.warehouse.errors import LockedError, UnstorableError, WarehouseError
from lcw_assets.warehouse.lock import LOCK_WAIT_S

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.ingest.fetch import Fetched
    from lcw_assets.ingest.hooks import StoredLoad
    from lcw_assets.ingest.runner import Runner, Stored

Event: TypeAlias = dg.MaterializeResult[Any] | dg.AssetMaterialization | dg.AssetCheckEvaluation


@dataclass(frozen=True)
class ExtraChecks:
    """Checks that one concept adds to the loads of another, by the name of their job: the SLA's, to fetch cycles.

    `read` gets the row of `ops.loads` of the latest load while the database is open; `results` gets what it returns.
    """

    job: str
    specs: Callable[[], Sequence[dg.AssetCheckSpec]]
    read: Callable[[DuckDBPyConnection, Mapping[str, Any]], Any]
    results: Callable[[Any], Sequence[dg.AssetCheckResult]]


@dataclass(frozen=True)
class _Log:
    """Writes the messages of a load into the log of its run."""

    context: dg.AssetExecutionContext

    def info(self, text: str) -> None:
        self.context.log.info(text)

    def warning(self, text: str) -> None:
        self.context.log.warning(text)

    def result(self, text: str) -> None:
        self.context.log.info(text, extra=RESULT)


class Step:
    """One execution of the step of a load."""

    def __init__(
        self, context: dg.AssetExecutionContext, declaration: LoadDeclaration, extra: Sequence[ExtraChecks]
    ) -> None:
        self.context, self.declaration, self.extra = context, declaration, extra
        self.settings = run_settings(context, declaration.source)
        self.source = self.settings.of(declaration.source)
        deadline = declaration.deadline_s
        self.deadline_s = float(getattr(self.settings, deadline) if isinstance(deadline, str) else deadline)
        self.selected = {key.to_user_string() for key in context.selected_asset_keys}

    def run(self) -> Iterator[Event]:
        from lcw_assets.ingest.runner import Runner, process_started_at

        self.clock = run_clock(self.context, process_started_at())
        context, declaration = self.context, self.declaration
        module, _, name = declaration.hooks.partition(":")
        hooks = getattr(import_module(module), name)(self.settings, _Log(context))
        runner = Runner(declaration, hooks, self.settings, context.resources.warehouse.get_connection, _Log(context))
        parts = [part for part in declaration.raw if f"raw/{part}" in self.selected]
        fetched: Fetched | None = None
        own: Spooled | None = None
        if parts and not (context.retry_number and self._was_fetched(runner)):
            runner.prepare()
            for moment in hooks.rounds(self.clock):
                # A load of its own, of which Dagster's events say nothing: the last one is the run's.
                fetched, own = self._fetch(runner, parts)
                self._store(runner, own)
                time.sleep(max(0.0, (moment - datetime.now(timezone.utc)).total_seconds()))
                self.clock = self.clock.of_round(moment, datetime.now(timezone.utc))
            fetched, own = self._fetch(runner, parts)
        failed = fetched is not None and hooks.failed(fetched)
        stored: Stored | None = None
        failure: Exception | None = None
        if failed or any(table.key in self.selected for table in declaration.stored):
            try:
                stored = self._store(runner, own)
            except Exception as raised:  # noqa: BLE001 - raised again, after reporting what was fetched
                failure = raised
        # After the commit: Dagster writes each event to its own database, which takes 10 ms.
        if fetched and own and not failed:
            yield from self._raw_results(runner, fetched, own)
        if failure:
            raise failure
        done = stored.of_run(context.run.run_id) if stored else None
        if done and not fetched:  # by a second try, of what the first one fetched
            failed = done.row["status"] == "failed"
        if stored and done:
            yield from self._stored_results(runner, stored, done, failed=failed)
        if failed:
            missing = [str(one) for one in fetched.missing] if fetched else done.row["missing"] if done else []
            reason = fetched.reason if fetched else next(iter(missing), "nothing could be used")
            breaker = fetched and fetched.missing and fetched.missing[0].code == "breaker_open"
            reason = reason if breaker else f"nothing was answered: {reason}"
            raise dg.Failure(reason, metadata={"missing": missing}, allow_retries=False)

    def _fetch(self, runner: Runner, parts: Sequence[str]) -> tuple[Fetched, Spooled]:
        try:
            return runner.fetch(self._load(), self.clock, self.deadline_s, parts)
        except SpoolError as error:
            raise dg.Failure(str(error), allow_retries=False) from None

    def _load(self) -> Load:
        """This run's load. A step that is tried again has another id."""
        context, clock = self.context, self.clock
        again = f"-{context.retry_number}" if context.retry_number else ""
        source = self.declaration.source
        takes_currency = isinstance(source, Source) and "currency" in source.client_settings
        return Load(
            load_id=load_id(clock.started_at, context.run.run_id) + again,
            kind=self.declaration.job,
            run_id=context.run.run_id,
            scheduled_at=clock.scheduled_at,
            clock_started_at=clock.started_at,
            started_at=clock.now,
            queue_s=clock.queue_s,
            start_s=clock.start_s,
            late_tick=clock.late_tick,
            source=self.source.name,
            # Of a source that takes one. Contracts have currencies of their own.
            currency=self.settings.currency if takes_currency else "",
        )

    def _was_fetched(self, runner: Runner) -> bool:
        """Did the previous try fetch everything, and fail while it stored? Then nothing is paid for twice."""
        waiting = runner.spool.of_run(self.context.run.run_id)
        return any(spooled is not None and spooled.end for spooled in map(runner.spool.read, waiting))

    def _store(self, runner: Runner, own: Spooled | None) -> Stored | None:
        """Store what waits. A locked database only delays that: it raises nothing."""
        left_s = self.deadline_s - (datetime.now(timezone.utc) - self.clock.started_at).total_seconds()
        read = None
        if self.extra:

            def read(db: DuckDBPyConnection, row: Mapping[str, Any]) -> list[Any]:
                return [one.read(db, row) for one in self.extra]

        try:
            stored = runner.store(own=own, lock_wait_s=min(LOCK_WAIT_S, max(0.0, left_s)), read_extra=read)
        except LockedError as error:
            runner.locked_out(self.context.run.run_id, error)
            return None
        except UnstorableError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        except WarehouseError as error:
            waiting = f"it waits in {runner.spool.folder}, with {len(runner.spool.pending())} loads in all"
            raise dg.Failure(f"{error}. Nothing is lost: {waiting}", allow_retries=False) from None
        for done in stored.loads:
            if line := runner.hooks.describe(done):
                runner.log.result(line)
        return stored

    def _raw_results(self, runner: Runner, fetched: Fetched, own: Spooled) -> Iterator[Event]:
        findings = [_result(one) for one in runner.hooks.fetch_findings(fetched, fetched.of_load)]
        for name, part in fetched.parts.items():
            attempts = [attempt for attempt in own.attempts if attempt["endpoint"] in part.endpoints]
            key = dg.AssetKey(["raw", name])
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "source": self.source.name,
                    self.declaration.id_name: own.load.load_id,
                    "entries": part.entries,
                    "calls": part.succeeded,
                    "calls_missing": part.planned - part.succeeded,
                    "retries": sum(attempt["attempt"] > 1 for attempt in attempts),
                    "bytes": sum(attempt["bytes"] for attempt in attempts),
                    "seconds": rounded(part.seconds),
                },
                check_results=[result for result in findings if result.asset_key == key],
            )

    def _stored_results(self, runner: Runner, stored: Stored, done: StoredLoad, *, failed: bool) -> Iterator[Event]:
        """For a load that got nothing: only its facts, and failed checks, which replace the last good ones."""
        findings = runner.findings(stored, done, failed=failed)
        results = [*map(_result, findings), *self._extra_results(stored, done)]
        for table in self.declaration.stored:
            key = dg.AssetKey(table.key.split("/"))
            metadata = {
                "dagster/row_count": stored.tables[table.name].rows,
                "source": self.source.name,
                self.declaration.id_name: done.load.load_id,
                "status": done.row["status"],
                **runner.summary(table, stored, done),
            }
            metadata = {name: _metadata(value) for name, value in metadata.items()}
            if failed and table.key.startswith("ops/") and is_selected(self.context, key):
                yield dg.AssetMaterialization(key, metadata=metadata)
            elif not failed and key in self.context.selected_asset_keys:
                own = [result for result in results if result.asset_key == key]
                yield dg.MaterializeResult(asset_key=key, metadata=metadata, check_results=own)
        if failed:
            yield from evaluations(self.context, results)

    def _extra_results(self, stored: Stored, done: StoredLoad) -> Iterator[dg.AssetCheckResult]:
        if done is stored.loads[-1]:
            for one, read in zip(self.extra, stored.extra or [], strict=False):
                yield from one.results(read)


def run_clock(context: dg.AssetExecutionContext, process_started_at: datetime) -> RunClock:
    """Where the time of this run counts from. A tag that is not a time fails the run in one line."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    now = datetime.now(timezone.utc)
    try:
        tick = scheduled_at(context.run, now)
    except TagError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    if tick is None and context.run.tags.get(SCHEDULED_AT_TAG):
        context.log.warning(f"the tick of {SCHEDULED_AT_TAG} is ahead of this machine's clock: it is left out")
    return read_clock(
        scheduled_at=tick,
        run_created_at=record.create_timestamp if record else now,
        process_started_at=process_started_at,
        now=now,
    )


def _metadata(value: Any) -> Any:
    return dg.MetadataValue.md(value.text) if isinstance(value, Markdown) else value


def _result(finding: Finding) -> dg.AssetCheckResult:
    """A failed check is a warning about the data, and stops nothing."""
    return dg.AssetCheckResult(
        check_name=finding.check,
        asset_key=finding.asset.split("/"),
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=finding.wrong or None,
        metadata=finding.metadata,
    )
