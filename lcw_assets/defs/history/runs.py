"""A run of a backfill, from its days to its result. Knows no Dagster: logging and reporting are passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Protocol

from duckdb import DuckDBPyConnection

from lcw_assets import escape
from lcw_assets.coordination.credit_budget import CreditBudget
from lcw_assets.defs.history.backfill import Backfill, Progress, Result
from lcw_assets.defs.history.plan import Plan, Span
from lcw_assets.defs.history.planning import complete_days, make_plan, requested_since
from lcw_assets.defs.history.series import Series
from lcw_assets.defs.history.store import store_batches
from lcw_assets.ingest.clock import DAY
from lcw_assets.ingest.connect import connect as connect_source
from lcw_assets.ingest.load import Load, load_id
from lcw_assets.ingest.rotating import RotatingSpool, only_one
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import SpoolError
from lcw_assets.instruments.tracked import CoinsError
from lcw_assets.rounding import digits, rounded
from lcw_assets.settings import Settings
from lcw_assets.sources.lcw.spec import SOURCE
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.tuning import Tuning
from lcw_assets.warehouse.errors import WarehouseError

# Errors whose text is enough: a mistake of the user, a disk, or a lock.
ERRORS = (CoinsError, SpoolError, WarehouseError)

# Seconds to wait for the database between calls. What is fetched waits in the spool meanwhile.
_BETWEEN_S = 2.0


class Report(Protocol):
    """Lines of a run's log, its results, and its numbers now and then."""

    info: Callable[[str], None]
    warning: Callable[[str], None]

    def result(self, line: str) -> None: ...
    def observe(self, metadata: Callable[[], Mapping[str, Any]]) -> None: ...


def waiting(error: Exception, settings: Settings) -> str:
    """What a message of `ERRORS` ends with: where the responses are meanwhile."""
    if not isinstance(error, WarehouseError):
        return ""
    folder = settings.of(SOURCE).history_spool_dir
    return f"What was answered waits in {folder}; the same range again stores it, and asks only for the rest"


@dataclass(frozen=True)
class Ended:
    """The result of a run. `complete` are its days for which every tracked coin was requested."""

    plan: Plan
    result: Result
    complete: list[datetime]
    chosen: int

    @property
    def status(self) -> str:
        """That of the result, or `partial`: all calls were made, and not all of the chosen days are complete."""
        whole = len(self.complete) == self.plan.wanted.length // DAY == self.chosen
        return "partial" if self.result.status == "done" and not whole else self.result.status

    @property
    def unknown(self) -> list[str]:
        return sorted({*self.result.unknown, *self.plan.unknown})

    @property
    def text(self) -> str:
        """Where it is not done."""
        rest = f"{len(self.complete)} days are complete; the same range again asks only for the rest"
        if self.result.status == "done":
            return f"not all days are marked: {rest}"
        if self.result.status == "credits":
            return f"stopped: {self.result.why}. {rest}, and the sensor resume_backfills does that after 00:00 UTC"
        return f"{self.result.why}. What was answered is kept: {rest}"

    @property
    def metadata(self) -> dict[str, Any]:
        progress = self.result.progress
        return {
            "calls_planned": self.plan.calls,
            "calls": progress.calls,
            "points": progress.stored.points,
            "points_new": progress.stored.new,
            "points_revised": progress.stored.revised,
            "points_refused": progress.stored.quarantined,
            "coins": len(self.plan.codes),
            "unknown_coins": escape.some(self.unknown),
            "days_complete": len(self.complete),
            "seconds": rounded(progress.seconds),
            "calls_per_s": rounded(progress.calls_per_s),
            **({"credits_left": progress.credits} if progress.credits is not None else {}),
        }


def run_backfill(
    series: Series,
    days: tuple[datetime, datetime],
    config: Mapping[str, Any],
    settings: Settings,
    run_id: str,
    connect: Callable[..., AbstractContextManager[DuckDBPyConnection]],
    log: Report,
) -> Ended | None:
    """Store what waits, plan, fetch and store. Null for a dry run, of which there is only the plan. Raises `ERRORS`.

    `connect` opens the database, and waits for it.
    """
    since = requested_since(config, datetime.now(timezone.utc))
    source = settings.of(SOURCE)
    spool = Spool(source.history_spool_dir)
    with only_one(source.history_lock_file, log.info):
        waited = store_batches(connect, spool, log.warning)
        if waited.responses:
            log.info(f"{waited.responses:,} responses of a backfill that was interrupted are stored now")
        now = datetime.now(timezone.utc)
        with connect() as db:
            plan = make_plan(db, series, settings, Span(*days), now, coins=config["coins"], since=since)
        log.result(describe_plan(plan, settings))
        if config["dry_run"]:
            return None
        load = Load.begun(
            load_id(now, run_id), "backfill", now,
            run_id=run_id, source=source.history_name, currency=settings.currency,
        )  # fmt: skip
        rotating = RotatingSpool(spool, load, series.endpoint, {"series": series.name, "begins": config["begins"]})
        tuning, endless = Tuning(in_flight=settings.max_in_flight), Deadline.after(float("inf"))
        with connect_source(SOURCE, settings, sink=rotating, deadline=endless, tuning=tuning, first=False) as api:
            result = Backfill(
                plan,
                api,
                rotating,
                CreditBudget(source.credits_file, settings.credit_reserve, now),
                store=partial(store_batches, partial(connect, lock_wait_s=_BETWEEN_S), spool, log.warning),
                in_flight=settings.max_in_flight,
                log=log.info,
                report=partial(_report, log),
            ).run()
        # With a long wait: responses that a locked database has delayed so far.
        result.progress.stored += store_batches(connect, spool, log.warning)
        with connect() as db:
            complete = complete_days(db, plan, result.unknown, settings, since)
    ended = Ended(plan, result, complete, Span(*days).length // DAY)
    log.result(describe_progress(result.progress))
    if ended.unknown:
        log.warning(f"Live Coin Watch knows no coin {escape.some(ended.unknown)}: the rest is done")
    return ended


def _report(log: Report, progress: Progress) -> None:
    log.info(describe_progress(progress))
    log.observe(partial(progress_metadata, progress))


def describe_plan(plan: Plan, settings: Settings) -> str:
    """What it costs, before any call is made."""
    days, calls, per_s = plan.wanted.length // DAY, plan.calls, settings.of(SOURCE).rate.per_s
    coins = "the whole market"
    if plan.series.per_coin:
        coins = plan.codes[0] if len(plan.codes) == 1 else f"{len(plan.codes):,} coins"
    if not calls:
        return f"plan: {plan.series.table}, {coins}, {days:,} days: all of it was asked for before, nothing is to do"
    return (
        f"plan: {plan.series.table}, {coins}, {days:,} days from {plan.wanted.start:%Y-%m-%d}: {calls:,} calls, as "
        f"many credits, {_duration(calls / per_s)} at {per_s:g} calls a second; it stops at "
        f"{settings.credit_reserve:,} credits"
    )


def describe_progress(progress: Progress) -> str:
    stored, end = progress.stored, _estimated_end(progress)
    left = f", {progress.credits:,} credits left" if progress.credits is not None else ""
    until = f", done about {end:%Y-%m-%d %H:%M:%S} UTC" if end and progress.calls < progress.planned else ""
    return (
        f"{progress.calls:,} of {progress.planned:,} calls, {stored.points:,} points stored, {stored.revised:,} "
        f"revised, {digits(progress.calls_per_s)} calls/s{left}{until}"
    )


def progress_metadata(progress: Progress) -> dict[str, Any]:
    end = _estimated_end(progress)
    return {
        "progress": describe_progress(progress),
        "calls_done": progress.calls,
        "calls_left": max(0, progress.planned - progress.calls),
        **({"credits_left": progress.credits} if progress.credits is not None else {}),
        **({"estimated_end": end.isoformat()} if end else {}),
    }


def _estimated_end(progress: Progress) -> datetime | None:
    left_s = progress.left_s
    return None if left_s is None else datetime.now(timezone.utc) + timedelta(seconds=left_s)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
