"""One answer into the tables: loaded, compared, found plausible, written. Within the caller's transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets.registry.facts import Changes, Found, Phases
from lcw_assets.registry.plausible import Limits, Missing, doubt
from lcw_assets.registry.statements import statements, terms
from lcw_assets.sources.kucoin_futures_records import Contracts, rows_json
from lcw_assets.warehouse.tables import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Between two answers of which the second confirms the first.
_CONFIRMED_WITHIN = timedelta(hours=1)


def apply(
    db: DuckDBPyConnection,
    contracts: Contracts,
    *,
    observed_at: datetime,
    sync_id: str,
    limits: Limits,
    new_for: timedelta,
    phases: Phases,
) -> Found:
    """Bring the registry up to this answer, unless it is older than what is known, or not plausible."""
    with phases.of("load"):
        _set(db, observed_at=observed_at, sync_id=sync_id, new_for=new_for)
        for statement in statements("load"):
            db.execute(statement, [rows_json(contracts.records)])
    with phases.of("process"):
        found = Found("applied", observed_at=observed_at, contracts=len(contracts.records))
        found.unknown = sorted({name for record in contracts.records for name in record.model_extra or ()})
        [known_until] = one_row(db, "SELECT greatest(max(last_seen), max(delisted_at)) FROM registry.tokens")
        if known_until and observed_at <= known_until:
            found.status = "older"
            found.reason = f"it came at {observed_at:%H:%M:%S}, and {known_until:%H:%M:%S} is known already"
            return found
        told, found.untold = _told(db)
        for statement in statements("compare", told):
            db.execute(statement)
        listed, found.missing, found.missing_digest = one_row(
            db,
            "SELECT (SELECT count(*) FROM registry.tokens WHERE status <> 'delisted'), count(*), "
            "md5(string_agg(symbol, ' ' ORDER BY symbol)) FROM missing",
        )
        gap = Missing(found.contracts, listed, found.missing, found.missing_digest)
        found.reason = doubt(gap, limits, _held_before(db, observed_at))
        if found.reason:
            found.status = "held"
            return found
    with phases.of("write"):
        found.changes = _write(db, told)
    return found


def _write(db: DuckDBPyConnection, told: list[str]) -> Changes:
    lifecycle, parameters, snapshots, *rest = statements("write", told)
    db.execute(lifecycle)
    [changed] = one_row(db, parameters)
    [moved] = one_row(db, snapshots)
    for statement in rest:
        db.execute(statement)
    listed, relisted, delisted, statuses = one_row(
        db,
        "SELECT count(*) FILTER (was IS NULL), count(*) FILTER (was = 'delisted'), (SELECT count(*) FROM missing), "
        "count(*) FILTER (was <> status AND was <> 'delisted') FROM compared",
    )
    return Changes(listed, relisted, delisted, statuses, changed, moved)


def _told(db: DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """The terms that any contract of the answer has; and those that none has any more.

    A field that is gone from every contract was renamed or dropped by KuCoin. That says nothing of any contract, so
    what is known of it is kept, and no event is made.
    """
    names = terms()
    counts = ", ".join(f"count({name})" for name in names)
    now = one_row(db, f"SELECT {counts} FROM answer")  # noqa: S608 - names of our own
    told = [name for name, count in zip(names, now, strict=True) if count]
    before = one_row(db, f"SELECT {counts} FROM registry.tokens WHERE status <> 'delisted'")  # noqa: S608
    lost = [name for name, count in zip(names, before, strict=True) if count and name not in told]
    return told, lost


def _held_before(db: DuckDBPyConnection, observed_at: datetime) -> str | None:
    """What the answer before this one lacked, if it was held for that."""
    last = db.execute(
        "SELECT status, missing_digest FROM ops.syncs WHERE observed_at BETWEEN ? AND ? "
        "AND status IN ('applied', 'held') ORDER BY observed_at DESC LIMIT 1",
        [observed_at - _CONFIRMED_WITHIN, observed_at],
    ).fetchone()
    return str(last[1]) if last and last[0] == "held" else None


def _set(db: DuckDBPyConnection, **variables: Any) -> None:
    for name, value in variables.items():
        db.execute(f"SET VARIABLE {name} = ?", [value])
