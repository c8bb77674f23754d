"""One answer into the tables: loaded, compared, found plausible, written. Within the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from hashlib import md5
from typing import TYPE_CHECKING, Any

from lcw_assets.registry import staging
from lcw_assets.registry.compare import KNOWN, Change, Compared, compare, delisted
from lcw_assets.registry.facts import Changes, Found, Phases
from lcw_assets.registry.plausible import Limits, Missing, doubt
from lcw_assets.registry.statements import run, text
from lcw_assets.sources.kucoin_futures_records import Contract
from lcw_assets.warehouse.tables import append, one_row, update

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Between two answers of which the second confirms the first.
_CONFIRMED_WITHIN = timedelta(hours=1)

# Contracts that are compared and written together: 5,000 at once take 50 MB more, and no less time.
_AT_ONCE = 500

# Columns of a known contract that are written whenever it is not as it was. Of the terms only those that changed are:
# DuckDB takes as long to plan an assignment as to carry it out.
_ALWAYS_SET = {
    "status", "listed_at", "delisted_at", "changed_at", "exchange_status", "unknown_fields", "fingerprint",
}  # fmt: skip


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

    Of most contracts only the market has moved; the fingerprint of all the rest says so. The others are `compared`.
    """
    with phases.of("load"):
        _set(db, observed_at=observed_at, sync_id=sync_id, new_for=new_for)
        run(db, "load", [staging.moves_json(records)])
        symbols = {symbol for (symbol,) in db.execute(text("changed")).fetchall()}
    with phases.of("process"):
        told = staging.told(records)
        found = Found("applied", observed_at=observed_at, contracts=len(records), unknown=staging.unknown(records))
        known_until, listed, found.untold = _state(db, told)
        if known_until and observed_at <= known_until:
            found.status = "older"
            found.reason = f"it came at {observed_at:%H:%M:%S}, and {known_until:%H:%M:%S} is known already"
            return found
        known = _known(db, symbols)
        missing = dict(db.execute(text("missing")).fetchall())
        if missing:
            found.missing = len(missing)
            found.missing_digest = md5(" ".join(sorted(missing)).encode(), usedforsecurity=False).hexdigest()
            gap = Missing(found.contracts, listed, found.missing, found.missing_digest)
            found.reason = doubt(gap, limits, None) and doubt(gap, limits, _held_before(db, observed_at))
        if found.reason:
            found.status = "held"
            return found
    changes = []
    with phases.of("write"):
        snapshots = run(db, "snapshot")
    odd = [record for record in records if record.symbol in symbols]
    for first in range(0, len(odd), _AT_ONCE):
        with phases.of("process"):
            compared = [
                compare(record, known.get(record.symbol), told=told, observed_at=observed_at)
                for record in odd[first : first + _AT_ONCE]
            ]
        with phases.of("write"):
            changes += _write(db, compared, known)
    with phases.of("write"):
        run(db, "move")
        gone = [delisted(symbol, was, observed_at) for symbol, was in missing.items()]
        update(
            db,
            "registry.tokens",
            [one.row for one in gone],
            key="symbol",
            columns=("status", "delisted_at", "changed_at"),
        )
        changes += [change for one in gone for change in one.changes]
        stamps = {"observed_at": observed_at, "sync_id": sync_id}
        append(db, "registry.token_events", [{**vars(change), **stamps} for change in changes])
        run(db, "newness")
        found.changes = Changes.count((change.event for change in changes), snapshots)
    return found


def _write(db: DuckDBPyConnection, compared: Sequence[Compared], known: Collection[str]) -> list[Change]:
    """The contracts themselves. What happened to them is for the caller to write."""
    changes = [change for one in compared for change in one.changes]
    append(db, "registry.tokens", [one.row for one in compared if one.row["symbol"] not in known])
    old = [one.row for one in compared if one.row["symbol"] in known]
    update(db, "registry.tokens", old, key="symbol", columns=_ALWAYS_SET | {change.field for change in changes})
    return changes


def _state(db: DuckDBPyConnection, told: Collection[str]) -> tuple[datetime | None, int, list[str]]:
    """The moment up to which the registry is known, how many contracts are listed, and of the terms that these have
    those that none of the answer has.

    A field that is gone from every contract was renamed or dropped by KuCoin. That says nothing of any contract, so
    what is known of it is kept, and no event is made.
    """
    names = [name for name in staging.TERMS if name not in told]
    counts = "".join(f", count({name}) FILTER (status <> 'delisted')" for name in names)
    known_until, listed, *before = one_row(
        db,
        "SELECT greatest(max(last_seen), max(delisted_at)), "  # noqa: S608 - own names
        f"count(*) FILTER (status <> 'delisted'){counts} FROM registry.tokens",
    )
    return known_until, listed, [name for name, count in zip(names, before, strict=True) if count]


def _known(db: DuckDBPyConnection, symbols: Collection[str]) -> dict[str, dict[str, Any]]:
    """What is known of these contracts, by symbol; nothing of those that are new."""
    if not symbols:
        return {}
    rows = db.execute(
        f"SELECT {', '.join(KNOWN)} FROM registry.tokens "  # noqa: S608 - own names
        "WHERE symbol IN (SELECT unnest(?::VARCHAR[]))",
        [list(symbols)],
    ).fetchall()
    return {row[0]: dict(zip(KNOWN, row, strict=True)) for row in rows}


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
