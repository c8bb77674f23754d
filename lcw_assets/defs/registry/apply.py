"""Writes one response into the tables: load, compare, check, write. Within the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import md5
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.registry.compare import KNOWN, Compared, compare, delisted
from lcw_assets.defs.registry.facts import Changes, Phases, SyncResult
from lcw_assets.defs.registry.plausible import Limits, doubt
from lcw_assets.defs.registry.staging import KnownFields, moves_json, unknown
from lcw_assets.defs.registry.statements import run, text
from lcw_assets.sources.kucoin_futures.records import Contract
from lcw_assets.warehouse.tables import CLOCKS_DIFFER, append, one_row, update

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Time between a response and one that confirms it. A server may send the same wrong response for some seconds.
_CONFIRMED_AFTER, _CONFIRMED_WITHIN = timedelta(seconds=30), timedelta(hours=1)

# Contracts that are compared and written together: 5,000 at once take 50 MB more, and no less time.
_AT_ONCE = 500

# Columns that are written for every known contract that changed. Of the terms only the changed ones are written: DuckDB
# takes as long to plan an assignment as to execute it.
_ALWAYS_SET = {"status", "listed_at", "delisted_at", "changed_at", "exchange_status", "fingerprint"}


def apply(
    db: DuckDBPyConnection,
    records: Sequence[Contract],
    *,
    observed_at: datetime,
    now: datetime,
    sync_id: str,
    limits: Limits,
    new_for: timedelta,
    phases: Phases,
) -> SyncResult:
    """Bring the registry up to this response, unless it is older than what is known, or not plausible.

    Of most contracts only market values have moved: their fingerprint is the same. The others are `compared`.
    """
    with phases.of("load"):
        fields = KnownFields.by(records)
        _set(db, observed_at=observed_at, sync_id=sync_id, new_for=new_for, not_after=now + CLOCKS_DIFFER)
        run(db, "load", [moves_json(records, fields)])
        differs = db.execute(text("differs")).fetchall()
    with phases.of("process"):
        found = SyncResult("applied", observed_at=observed_at, contracts=len(records), unknown=unknown(records))
        known_until, listed, lost = _state(db, fields)
        found.lost_fields = lost if records else []
        if known_until and observed_at <= known_until:
            found.status = "older"
            found.reason = f"it came at {observed_at:%Y-%m-%d %H:%M:%S}, and {known_until:%H:%M:%S} is known already"
            return found
        missing = {symbol: was for symbol, was, is_missing in differs if is_missing}
        if missing:
            found.missing = len(missing)
            found.missing_digest = md5(" ".join(sorted(missing)).encode(), usedforsecurity=False).hexdigest()
        doubts = doubt(found.contracts, listed, found.missing, limits)
        if doubts and not _confirmed(db, observed_at, found.missing_digest):
            found.status, found.reason = "held", doubts
            return found
        statuses = {symbol: was for symbol, was, is_missing in differs if not is_missing}
        odd = [record for record in records if record.symbol in statuses]
        known = _known(db, [symbol for symbol, was in statuses.items() if was])
    with phases.of("write"):
        stamps = {"observed_at": observed_at, "sync_id": sync_id}
        snapshots = run(db, "snapshot", moves=fields.moves)
    events = Counter[str]()
    for first in range(0, len(odd), _AT_ONCE):
        with phases.of("process"):
            compared = [
                compare(record, known.get(record.symbol), fields=fields, observed_at=observed_at)
                for record in odd[first : first + _AT_ONCE]
            ]
        with phases.of("write"):
            append(db, "registry.tokens", [one.row for one in compared if one.row["symbol"] not in known])
            old = [one.row for one in compared if one.row["symbol"] in known]
            events += _write(db, old, compared, _ALWAYS_SET, stamps)
    with phases.of("write"):
        run(db, "move", moves=fields.moves)
        gone = [delisted(symbol, was, observed_at) for symbol, was in missing.items()]
        events += _write(db, [one.row for one in gone], gone, {"delisted_at", "changed_at", "is_new"}, stamps)
        found.changes = Changes.count(events, snapshots)
    return found


def _write(
    db: DuckDBPyConnection,
    rows: Sequence[Mapping[str, Any]],
    compared: Sequence[Compared],
    columns: Collection[str],
    stamps: Mapping[str, Any],
) -> Counter[str]:
    """Write events, and the rows of known contracts: these columns, and those that changed."""
    changes = [change for one in compared for change in one.changes]
    update(db, "registry.tokens", rows, key="symbol", columns={*columns, *(change.field for change in changes)})
    append(db, "registry.token_events", [{**vars(change), **stamps} for change in changes])
    return Counter(change.event for change in changes)


def _state(db: DuckDBPyConnection, fields: KnownFields) -> tuple[datetime | None, int, list[str]]:
    """The time of the newest response, the number of listed contracts, and the fields that these have and no contract
    of the response has.

    A time in the future is ignored: the clock was wrong when it was written, and until then every response would be
    too old.
    """
    counts = "".join(f", count({name}) FILTER (status <> 'delisted')" for name in fields.lost_fields)
    known_until, listed, *before = one_row(
        db,
        "SELECT greatest(max(last_seen) FILTER (last_seen <= getvariable('not_after')), "  # noqa: S608 - own names
        "max(delisted_at) FILTER (delisted_at <= getvariable('not_after'))), "
        f"count(*) FILTER (status <> 'delisted'){counts} FROM registry.tokens",
    )
    return known_until, listed, [name for name, count in zip(fields.lost_fields, before, strict=True) if count]


def _known(db: DuckDBPyConnection, symbols: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is known of these contracts, by symbol."""
    if not symbols:
        return {}
    rows = db.execute(
        f"SELECT {', '.join(KNOWN)} FROM registry.tokens "  # noqa: S608 - own names
        "WHERE symbol IN (SELECT unnest(?::VARCHAR[]))",
        [symbols],
    ).fetchall()
    return {row[0]: dict(zip(KNOWN, row, strict=True)) for row in rows}


def _confirmed(db: DuckDBPyConnection, observed_at: datetime, digest: str | None) -> bool:
    """Did an earlier response lack the same contracts, and no response since then other ones?

    Two halves that were cut in different places confirm nothing, nor does the same one twice within a moment.
    """
    rows = db.execute(
        "SELECT status, missing_digest, observed_at FROM ops.syncs WHERE observed_at BETWEEN ? AND ? "
        "AND status IN ('applied', 'held') ORDER BY observed_at DESC",
        [observed_at - _CONFIRMED_WITHIN, observed_at],
    ).fetchall()
    same = takewhile(lambda row: row[:2] == ("held", digest), rows)
    return any(observed_at - at >= _CONFIRMED_AFTER for _, _, at in same)


def _set(db: DuckDBPyConnection, **variables: Any) -> None:
    for name, value in variables.items():
        db.execute(f"SET VARIABLE {name} = ?", [value])
