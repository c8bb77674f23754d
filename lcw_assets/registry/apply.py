"""One answer into the tables: loaded, compared, found plausible, written. Within the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets.registry import staging
from lcw_assets.registry.facts import Changes, Found, Phases
from lcw_assets.registry.plausible import Limits, Missing, doubt
from lcw_assets.registry.statements import run, text
from lcw_assets.sources.kucoin_futures_records import Contract
from lcw_assets.warehouse.tables import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Between two answers of which the second confirms the first.
_CONFIRMED_WITHIN = timedelta(hours=1)


def apply(
    db: DuckDBPyConnection,
    records: Sequence[Contract],
    *,
    observed_at: datetime,
    sync_id: str,
    limits: Limits,
    new_for: timedelta,
    phases: Phases,
) -> Found:
    """Bring the registry up to this answer, unless it is older than what is known, or not plausible.

    Of most contracts only the market has moved; the fingerprint of all the rest says so. The others are `described`.
    """
    with phases.of("load"):
        _set(db, observed_at=observed_at, sync_id=sync_id, new_for=new_for)
        run(db, "load", [staging.moves_json(records)])
        symbols = {symbol for (symbol,) in db.execute(text("changed")).fetchall()}
        changed = [record for record in records if record.symbol in symbols]
        if changed:
            run(db, "describe", [staging.rows_json(changed)])
    with phases.of("process"):
        found = Found("applied", observed_at=observed_at, contracts=len(records), unknown=staging.unknown(records))
        [known_until] = one_row(db, "SELECT greatest(max(last_seen), max(delisted_at)) FROM registry.tokens")
        if known_until and observed_at <= known_until:
            found.status = "older"
            found.reason = f"it came at {observed_at:%H:%M:%S}, and {known_until:%H:%M:%S} is known already"
            return found
        told = staging.told(records)
        found.untold = _untold(db, told)
        if changed:
            run(db, "compare", told=told)
        found.missing = run(db, "missing")
        if found.missing:
            [listed] = one_row(db, "SELECT count(*) FROM registry.tokens WHERE status <> 'delisted'")
            [found.missing_digest] = one_row(db, "SELECT md5(string_agg(symbol, ' ' ORDER BY symbol)) FROM missing")
            gap = Missing(found.contracts, listed, found.missing, found.missing_digest)
            found.reason = doubt(gap, limits, _held_before(db, observed_at))
        if found.reason:
            found.status = "held"
            return found
    with phases.of("write"):
        found.changes = _write(db, told, described=bool(changed), missing=found.missing)
    return found


def _write(db: DuckDBPyConnection, told: Sequence[str], *, described: bool, missing: int) -> Changes:
    """Each statement that has something to do: those of many columns take milliseconds to plan alone."""
    listed = relisted = statuses = terms = 0
    snapshots = run(db, "snapshot")
    run(db, "move")
    if described:
        listed, relisted, statuses, terms, known = one_row(
            db,
            "SELECT count(*) FILTER (was IS NULL), count(*) FILTER (was = 'delisted'), "
            "count(*) FILTER (was <> status AND was <> 'delisted'), count(*) FILTER (terms_changed), "
            "count(was) FROM compared",
        )
        if listed or relisted or statuses:
            run(db, "statuses")
        if terms:
            terms = run(db, "terms", told=told)
        if known:
            run(db, "change", told=told)
        if listed:
            run(db, "list")
    if missing:
        run(db, "delist")
    run(db, "newness")
    return Changes(listed, relisted, missing, statuses, terms, snapshots)


def _untold(db: DuckDBPyConnection, told: Sequence[str]) -> list[str]:
    """The terms that contracts had, and that none of the answer has.

    A field that is gone from every contract was renamed or dropped by KuCoin. That says nothing of any contract, so
    what is known of it is kept, and no event is made.
    """
    names = [name for name in staging.TERMS if name not in told]
    if not names:
        return []
    counts = ", ".join(f"count({name})" for name in names)
    before = one_row(db, f"SELECT {counts} FROM registry.tokens WHERE status <> 'delisted'")  # noqa: S608 - own names
    return [name for name, count in zip(names, before, strict=True) if count]


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
