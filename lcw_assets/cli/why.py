"""One cycle: its phases, its calls that were slow or failed, its cause, and its run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

import duckdb

from lcw_assets.cli import SQL, CommandError
from lcw_assets.cli.status import cycle_lines
from lcw_assets.cli.text import moment
from lcw_assets.defs.monitoring.causes import CallFact
from lcw_assets.defs.monitoring.live import explain_spooled
from lcw_assets.defs.monitoring.sla import SlaError, load_sla
from lcw_assets.defs.monitoring.slow import read_slowest, read_usual
from lcw_assets.ingest.load import load_moment
from lcw_assets.ingest.measures import Window
from lcw_assets.ingest.spool import Spool
from lcw_assets.rounding import seconds
from lcw_assets.settings import DataSettings
from lcw_assets.sources.lcw.spec import SOURCE
from lcw_assets.warehouse.connection import open_database

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Live Coin Watch takes a second in the median.
_SLOW_CALL_S = 3.0
_CALLS_SHOWN = 10
_USUAL_OVER = timedelta(days=3)


@dataclass(frozen=True)
class _Span:
    """What to explain: a minute, or where seconds were given a second."""

    start: datetime
    end: datetime


def why(settings: DataSettings, at: str, now: datetime) -> list[str]:
    """The cycle of the moment `at`, or the last one. Raises `CommandError` and `WarehouseError`."""
    span = _read_moment(at, now) if at else None
    with open_database(settings.database, read_only=True) as db:
        try:
            found = SQL.rows(db, "cycles_near", vars(span)) if span else SQL.rows(db, "last_cycle")
            if found:
                return list(_explain(db, found, settings, now))
            return list(_no_cycle(db, span, settings, now))
        except duckdb.CatalogException:
            return [f"no tables in {settings.database} yet, or not all of them: `make cycle` makes them"]


def _read_moment(text: str, now: datetime) -> _Span:
    padded = re.sub(r"^(\d):", r"0\1:", text.strip()).replace("Z", "+00:00")
    try:
        if re.match(r"\d\d:", padded):
            clock = time.fromisoformat(padded)
            start = datetime.combine(now.date(), clock, clock.tzinfo or timezone.utc)
        else:
            start = datetime.fromisoformat(padded)
    except ValueError:
        raise CommandError(f"{text}: it must be a time in UTC, such as 14:32 or 2026-11-28T14:32") from None
    start = (start if start.tzinfo else start.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    return _Span(start, start + timedelta(seconds=1 if start.second else 60))


def _explain(
    db: DuckDBPyConnection, found: list[dict[str, Any]], settings: DataSettings, now: datetime
) -> Iterator[str]:
    """The first of the cycles that were found; of the others their names."""
    row, *others = found
    yield from cycle_lines(row, now)
    tick = f"tick of {moment(row['scheduled_at'], now)}" if row["scheduled_at"] else "started by hand"
    late = ", late: measured from its run's creation" if row["late_tick"] else ""
    began, stored = moment(row["started_at"], now), moment(row["committed_at"], now)
    yield f"times    {tick}{late}; pull began {began}, stored {stored}"
    yield f"cause    {_cause(db, row, settings)}"
    yield from _odd_calls(db, row["cycle_id"])
    yield f"run      {settings.ui_url.rstrip('/')}/runs/{row['run_id']}"
    if others:
        yield f"others   at the same time: {', '.join(other['cycle_id'] for other in others)}"


def _cause(db: DuckDBPyConnection, row: Mapping[str, Any], settings: DataSettings) -> str:
    """Of a cycle within the limit, where most of its time went."""
    try:
        limit_s = load_sla(settings.sla_file).checks.cycle_warn_s
    except SlaError:
        limit_s = load_sla().checks.cycle_warn_s
    began: datetime = row["started_at"]
    usual = read_usual(db, Window(began - _USUAL_OVER, began + timedelta(seconds=1)))
    window = Window(began, began + timedelta(microseconds=1))
    explained = read_slowest(db, window, over_s=float("-inf"), most=10, usual=usual)
    cause = next((slow.cause for slow in explained if slow.cycle_id == row["cycle_id"]), None)
    if cause is None:
        return "it has no usable time: the clock of this machine went back while it ran"
    within = 0 <= row["cycle_s"] <= limit_s and row["status"] == "complete"
    return f"nothing was slow, the limit is {limit_s:g} s. What took longest: {cause}" if within else str(cause)


def _odd_calls(db: DuckDBPyConnection, cycle_id: str) -> Iterator[str]:
    odd = SQL.rows(db, "odd_calls", {"cycle_id": cycle_id, "slow_s": _SLOW_CALL_S})
    if not odd:
        yield f"slow     no call failed, and none took {_SLOW_CALL_S:g} s"
    for row in odd[:_CALLS_SHOWN]:
        call = CallFact.from_row(row)
        which = "second request" if call.hedge else f"attempt {call.attempt}"
        waited = f", waited {seconds(call.waited_s)} before" if call.waited_s >= 0.5 else ""
        ended = "" if call.outcome == "ok" else f": {call.failure}"
        error = f" ({row['error']})" if row["error"] else ""
        yield f"slow     {call.label}, {which}: {seconds(call.latency_s)}{waited}{ended}{error}"
    if len(odd) > _CALLS_SHOWN:
        yield f"slow     and {len(odd) - _CALLS_SHOWN} more calls"


def _no_cycle(db: DuckDBPyConnection, span: _Span | None, settings: DataSettings, now: datetime) -> Iterator[str]:
    if span is None:
        yield f"no cycle in {settings.database} yet"
    elif span.start > now:
        yield f"{moment(span.start, now)} is in the future: it is {moment(now, now)}"
    else:
        yield f"no cycle at {moment(span.start, now)}"
    for near in SQL.rows(db, "nearest_cycles", vars(span)) if span else ():
        form = "%H:%M:%S" if near["started_at"].date() == now.date() else "%Y-%m-%dT%H:%M:%S"
        yield f"nearest  {near['cycle_id']}: make why AT={near['started_at']:{form}}"
    spool = Spool(settings.of(SOURCE).spool_dir)
    for path in spool.files():
        began_at = load_moment(path.stem)
        if span is None or (began_at and began_at.replace(second=0, microsecond=0) == span.start.replace(second=0)):
            yield f"spooled  {path.stem}: {explain_spooled(spool, path, now)}"
