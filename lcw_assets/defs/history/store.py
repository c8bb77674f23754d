"""Batches of answers from the spool into the tables of history, one transaction a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from lcw_assets.defs.history import windows
from lcw_assets.defs.history.series import SERIES, Series
from lcw_assets.ingest import store as ingest
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.facts import load_row
from lcw_assets.ingest.load import Missing
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled, quarantined
from lcw_assets.ingest.store import append_facts, is_stored
from lcw_assets.sources.lenient_json import parse
from lcw_assets.warehouse.connection import OpenDatabase
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import append, append_row, one_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)
_JSON_NAMES = {"btc_dominance": "btcDominance"}
# No coin is older, and a point may be of a clock that is a little fast.
_FIRST_MS = 1_230_768_000_000
_AHEAD = timedelta(days=1)

# Characters of what is refused that are kept.
_EXCERPT = 2_000

# Points, refused ones, and seconds between them, of an answer without any.
_NOTHING = (0, 0, None)


@dataclass(frozen=True)
class StoredPoints:
    """What came of batches: `points` answered, of these `new` ones, and `revised` ones that were known otherwise."""

    answers: int = 0
    points: int = 0
    new: int = 0
    revised: int = 0
    quarantined: int = 0

    def __add__(self, other: StoredPoints) -> StoredPoints:
        return StoredPoints(*(mine + its for mine, its in zip(vars(self).values(), vars(other).values(), strict=True)))


def store_batches(
    connect: OpenDatabase, spool: Spool, log: Callable[[str], None], *, now: datetime | None = None
) -> StoredPoints:
    """Store every batch that waits, each once. Raises `WarehouseError`; the spool then keeps what it has."""
    if not spool.pending():
        return StoredPoints()
    clock = StoreClock()
    store = partial(_store_batch, now or datetime.now(timezone.utc), clock)
    return sum(ingest.store_pending(connect, spool, log, store, clock=clock, config={}), start=StoredPoints())


def _store_batch(now: datetime, clock: StoreClock, db: DuckDBPyConnection, spooled: Spooled) -> StoredPoints:
    if not spooled.planned:
        if spooled.answers:
            raise ValueError("it does not say of which series it is")
        return StoredPoints()  # its process died before it could ask
    with transaction(db):
        if is_stored(db, spooled):
            return StoredPoints()
        return _store(db, SERIES[spooled.planned[0]["request"]["series"]], spooled, clock, now)


def _store(db: DuckDBPyConnection, series: Series, spooled: Spooled, clock: StoreClock, now: datetime) -> StoredPoints:
    batch = spooled.load
    read = [_read(answer) for answer in spooled.answers]
    answers = {
        "codes": [answer["request"].get("code", "") for answer in spooled.answers],
        "received": [answer["received_at"] for answer in spooled.answers],
        "payloads": [one.payload for one in read],
    }
    limits = {"first_ms": _FIRST_MS, "last_ms": _ms(now + _AHEAD)}
    rest = {
        "currency": batch.currency,
        "step_s": int(series.step.total_seconds()),
        "window_s": int(series.window.total_seconds()),
        "batch_id": batch.load_id,
    }
    unpack, stage, count = _statements("stage", series)
    db.execute(unpack, answers)
    db.execute(stage, rest | limits)
    counts = {number - 1: tuple(rest) for number, *rest in db.execute(count, limits).fetchall()}
    came, low, high = one_row(db, "SELECT count(*), min(bucket), max(bucket) FROM staged")
    revised = changed = 0
    if came:
        keep, merge = _statements("merge", series)
        [revised] = one_row(db, keep, {"low": low, "high": high})
        [changed] = one_row(db, merge, {"low": low, "high": high})
    asked = [
        windows.asked(series, spooled, answer, *counts.get(number, _NOTHING))
        for number, answer in enumerate(spooled.answers)
    ]
    append(db, "history.asked", [*asked, *windows.unknown(series, spooled)])
    refused = [
        quarantined(answer, reason, text)
        for number, answer in enumerate(spooled.answers)
        for reason, text in (
            *read[number].unreadable,
            *(_refused(series, read[number].payload, limits) if counts.get(number, _NOTHING)[1] else ()),
        )
    ]
    refused += spooled.quarantine()
    append_facts(db, spooled, clock, refused, keep_bodies=False)  # all that they say is in the tables
    missing = windows.missing(series, spooled)
    row = load_row(
        spooled,
        clock,
        status="complete" if not missing else "partial" if spooled.answers else "failed",
        missing=[Missing("", "unanswered", one) for one in missing],
        seen=came,
        changed=changed,
        quarantined=len(refused),
        detail={"series": series.name, "revised": revised},
    )
    append_row(db, "ops.loads", row)
    return StoredPoints(len(spooled.answers), came, changed - revised, revised, len(refused))


@dataclass(frozen=True)
class _Read:
    """An answer that DuckDB can unpack: with null for what cannot be parsed, and that, each with the reason."""

    payload: str
    unreadable: Sequence[tuple[str, str]] = ()


def _read(answer: Mapping[str, Any]) -> _Read:
    document, unreadable = parse(answer["payload"])
    if not unreadable:
        return _Read(answer["payload"])
    told = [(f"{'.'.join(map(str, one.path))}: {one.reason}", one.text[:_EXCERPT]) for one in unreadable]
    return _Read(to_json(document, inf_nan_mode="constants").decode(), told)


def _refused(series: Series, payload: str, limits: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Points that are none, each with the reason. The same rule as in `stage.sql`."""
    document = from_json(payload)
    for point in document if isinstance(document, list) else document["history"]:
        reason = _why_refused(series, point, limits)
        if reason:
            yield reason, to_json(point, inf_nan_mode="constants").decode()[:_EXCERPT]


def _why_refused(series: Series, point: Any, limits: Mapping[str, Any]) -> str | None:
    date = point.get("date") if isinstance(point, dict) else None
    if not isinstance(date, int) or not limits["first_ms"] <= date <= limits["last_ms"]:
        return f"date is {date!r}: it must be milliseconds since 1970, from 2009 to now"
    for name in series.values:
        value = point.get(_JSON_NAMES.get(name, name))
        if value is not None and not (isinstance(value, int | float) and 0 <= value < float("inf")):
            return f"{name} is {value!r}: it must be a number from 0"
    return None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


@cache
def _statements(file: str, series: Series) -> tuple[str, ...]:
    """The statements of a template in `sql/`, for this series."""
    key = ["code", "currency", "bucket"] if series.per_coin else ["currency", "bucket"]
    # As text, so that what is no number is noticed and not taken for nothing.
    numbers = {name: f"TRY_CAST({_JSON_NAMES.get(name, name)} AS DOUBLE)" for name in series.values}
    fields = {"date": "BIGINT"} | {_JSON_NAMES.get(name, name): "VARCHAR" for name in series.values}
    columns = ("date", *series.values, "step_s", "observed_at", "batch_id")
    return _SQL.each(
        file,
        series=series.name,
        table=series.table,
        structure=json.dumps({"history": [fields]} if series.per_coin else [fields]),
        list=".history" if series.per_coin else "",
        code="code," if series.per_coin else "",
        values=", ".join(f"{number} AS {name}" for name, number in numbers.items()),
        good=" AND ".join(
            [
                "coalesce(date BETWEEN $first_ms AND $last_ms, false)",
                *(
                    f"({_JSON_NAMES.get(name, name)} IS NULL OR coalesce({number} >= 0 AND isfinite({number}), false))"
                    for name, number in numbers.items()
                ),
            ]
        ),
        key=", ".join(key),
        on=" AND ".join(f"old.{name} = new.{name}" for name in key),
        new_values=", ".join(f"new.{name}" for name in series.values),
        old_values=", ".join(f"old.{name}" for name in series.values),
        assignments=", ".join(f"{name} = new.{name}" for name in columns),
    )
