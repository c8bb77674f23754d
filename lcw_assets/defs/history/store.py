"""Batches of responses from the spool into the tables of history, one transaction a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from lcw_assets.defs.history.series import SERIES, Series, to_ms
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.hooks import Outcome
from lcw_assets.ingest.load import Missing
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled, quarantined
from lcw_assets.ingest.store import store_once, store_pending
from lcw_assets.sources.lenient_json import parse
from lcw_assets.warehouse.connection import OpenDatabase
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import append, one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SQL = Statements(__file__)
_JSON_NAMES = {"btc_dominance": "btcDominance"}
# No coin is older; and the clock of the API may be a little fast.
_FIRST_MS = 1_230_768_000_000
_AHEAD = timedelta(days=1)

# Characters of a refused text that are kept.
_EXCERPT = 2_000

# Points, refused ones, and seconds between them, of a response without any.
_NOTHING = (0, 0, None)


@dataclass(frozen=True)
class StoredPoints:
    """The result of batches: `points` received, of these `new` ones, and `revised` ones with other values before."""

    responses: int = 0
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

    def store(db: DuckDBPyConnection, spooled: Spooled) -> StoredPoints:
        if not spooled.planned:
            if spooled.responses:
                raise ValueError("it does not say of which series it is")
            return StoredPoints()  # its process died before it could fetch
        series = SERIES[spooled.planned[0]["request"]["series"]]
        done = store_once(db, spooled, clock, partial(_store, series, now or datetime.now(timezone.utc)))
        return done.outcome.data if done else StoredPoints()

    return sum(store_pending(connect, spool, log, store, clock=clock, config={}), start=StoredPoints())


def _store(series: Series, now: datetime, db: DuckDBPyConnection, spooled: Spooled) -> Outcome:
    batch, responses = spooled.load, spooled.responses
    read = [_read(response["payload"]) for response in responses]
    limits = {"first_ms": _FIRST_MS, "last_ms": to_ms(now + _AHEAD)}
    steps = {"step_s": int(series.step.total_seconds()), "window_s": int(series.window.total_seconds())}
    unpack, stage, count = _statements("stage", series)
    columns = {
        "codes": [response["request"].get("code", "") for response in responses],
        "received": [response["received_at"] for response in responses],
        "payloads": [payload for payload, _ in read],
    }
    db.execute(unpack, columns)
    db.execute(stage, {"currency": batch.currency, "batch_id": batch.load_id, **steps, **limits})
    counts = {number - 1: tuple(rest) for number, *rest in db.execute(count, limits).fetchall()}
    received, low, high = one_row(db, "SELECT count(*), min(bucket), max(bucket) FROM staged")
    revised = changed = 0
    if received:
        keep, merge = _statements("merge", series)
        [revised] = one_row(db, keep, {"low": low, "high": high})
        [changed] = one_row(db, merge, {"low": low, "high": high})
    rows, refused = list(_unknown_rows(series, spooled)), spooled.quarantine()
    for number, (response, (payload, unreadable)) in enumerate(zip(responses, read, strict=True)):
        came = counts.get(number, _NOTHING)
        rows.append(_window_row(series, spooled, response, *came))
        wrong = [*unreadable, *(_refused(series, payload, limits) if came[1] else ())]
        refused += [quarantined(response, reason, text) for reason, text in wrong]
    append(db, "history.asked", rows)
    return Outcome(
        seen=received,
        changed=changed,
        came=bool(responses),
        missing=_missing(series, spooled),
        quarantine=refused,
        keep_bodies=False,  # the tables have all of their content
        detail={"series": series.name, "revised": revised},
        data=StoredPoints(len(responses), received, changed - revised, revised, len(refused)),
    )


def _window_row(
    series: Series, spooled: Spooled, response: Mapping[str, Any], points: int, refused: int, step_s: float | None
) -> dict[str, Any]:
    """Of a response. A window whose points were all refused is requested again."""
    good = points - refused
    coarse = step_s is not None and step_s > series.step.total_seconds()
    outcome = "refused" if points and not good else "coarse" if coarse else "points" if good else "empty"
    return _request_row(series, spooled, response["request"], response["received_at"], good, outcome)


def _unknown_rows(series: Series, spooled: Spooled) -> Iterator[dict[str, Any]]:
    """Of attempts at codes that the API does not know."""
    for attempt in spooled.attempts:
        if attempt["outcome"] == "unknown_code" and attempt["endpoint"] == series.endpoint:
            yield _request_row(series, spooled, attempt["request"], attempt["started_at"], 0, "unknown_code")


def _missing(series: Series, spooled: Spooled) -> list[Missing]:
    """The windows that this stretch requested and did not get, each with the reason of its last attempt."""
    last = {_key(row): row for row in spooled.attempts if row["endpoint"] == series.endpoint}
    for row in spooled.responses:
        last.pop(_key(row), None)
    lost = [
        Missing(f"{code} from {_moment(start):%Y-%m-%d}".strip(), row["outcome"], row["error"] or "")
        for (code, start), row in last.items()
        if row["outcome"] not in ("ok", "unknown_code")  # `ok`: its response may be in the next file
    ]
    damaged = Missing("", "damaged", f"{len(spooled.damaged)} lines of the spool are damaged")
    return [*lost, *([damaged] if spooled.damaged else [])]


def _key(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["request"].get("code", ""), row["request"]["start"]


def _request_row(
    series: Series, spooled: Spooled, request: Mapping[str, Any], at: str, points: int, outcome: str
) -> dict[str, Any]:
    """A window may not be over yet: the time after its response counts as not requested."""
    start, end, requested_at = _moment(request["start"]), _moment(request["end"] + 1), datetime.fromisoformat(at)
    settled = start + max(timedelta(0), (requested_at - start) // series.step * series.step)
    return {
        "series": series.name,
        "code": request.get("code", ""),
        "currency": spooled.load.currency,
        "window_start": start.isoformat(),
        "window_end": (end if end <= requested_at else settled).isoformat(),
        "asked_at": requested_at.isoformat(),
        "points": points,
        "outcome": outcome,
        "begins": spooled.planned[0]["request"].get("begins", True),
        "batch_id": spooled.load.load_id,
    }


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, timezone.utc)


def _read(payload: str) -> tuple[str, list[tuple[str, str]]]:
    """A text that DuckDB can unpack, with null for values that cannot be parsed; and these, each with the reason."""
    document, unreadable = parse(payload)
    if not unreadable:
        return payload, []
    wrong = [(f"{'.'.join(map(str, one.path))}: {one.reason}", one.text[:_EXCERPT]) for one in unreadable]
    return to_json(document, inf_nan_mode="constants").decode(), wrong


def _refused(series: Series, payload: str, limits: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Invalid points, each with the reason. The same rule as in `stage.sql`."""
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


@cache
def _statements(file: str, series: Series) -> tuple[str, ...]:
    """The statements of a template in `sql/`, for this series."""
    key = ["code", "currency", "bucket"] if series.per_coin else ["currency", "bucket"]
    names = {name: _JSON_NAMES.get(name, name) for name in series.values}
    # As text, so that a value that is not a number is noticed, and not null.
    fields = {"date": "BIGINT"} | dict.fromkeys(names.values(), "VARCHAR")
    numbers = {name: f"TRY_CAST({json_name} AS DOUBLE)" for name, json_name in names.items()}
    good = [f"({names[name]} IS NULL OR coalesce({it} >= 0 AND isfinite({it}), false))" for name, it in numbers.items()]
    columns = ("date", *series.values, "step_s", "observed_at", "batch_id")
    return _SQL.each(
        file,
        series=series.name,
        table=series.table,
        structure=json.dumps({"history": [fields]} if series.per_coin else [fields]),
        list=".history" if series.per_coin else "",
        code="code," if series.per_coin else "",
        values=", ".join(f"{number} AS {name}" for name, number in numbers.items()),
        good=" AND ".join(["coalesce(date BETWEEN $first_ms AND $last_ms, false)", *good]),
        key=", ".join(key),
        on=" AND ".join(f"old.{name} = new.{name}" for name in key),
        new_values=", ".join(f"new.{name}" for name in series.values),
        old_values=", ".join(f"old.{name}" for name in series.values),
        assignments=", ".join(f"{name} = new.{name}" for name in columns),
    )
