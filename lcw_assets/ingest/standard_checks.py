"""The state of a load's tables after it was stored, and the checks that every load has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lcw_assets import escape
from lcw_assets.ingest.declaration import BY_HOOKS, LoadDeclaration
from lcw_assets.ingest.hooks import Finding, StoredLoad, TableState
from lcw_assets.rounding import percent, rounded, seconds
from lcw_assets.warehouse.tables import CLOCKS_DIFFER, one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def read_tables(
    db: DuckDBPyConnection,
    declaration: LoadDeclaration,
    confirmed_at: Callable[[DuckDBPyConnection, str, datetime], datetime | None],
    now: datetime,
) -> dict[str, TableState]:
    """The state of each table by name: one query for each table that declares checks, and one for the rest.

    A row that is later than `now` does not count: a clock was ahead when it came, or this one is behind.
    """
    not_after = now + CLOCKS_DIFFER
    found = {}
    counted = [table for table in declaration.stored if not table.is_scanned]
    if counted:
        counts = one_row(db, f"SELECT {', '.join(f'(SELECT count(*) FROM {table.name})' for table in counted)}")  # noqa: S608
        found = {table.name: TableState(rows) for table, rows in zip(counted, counts, strict=True)}
    for table in declaration.stored:
        if table.is_scanned:
            unique = f"count(*) - count(DISTINCT hash({', '.join(table.unique)}))" if table.unique else "0"
            least = f"least({', '.join(table.not_negative)}) < 0"
            first = table.unique[0] if table.unique else "'a row'"
            negative = f"coalesce(list({first}) FILTER ({least}), [])" if table.not_negative else "[]"
            [fresh] = [f"max({name}) FILTER ({name} <= ?)" for name in table.fresh_columns] or ["NULL"]
            row = one_row(
                db,
                f"SELECT count(*), {unique}, {negative}, {fresh} FROM {table.name}",  # noqa: S608 - names of our own
                [not_after] * len(table.fresh_columns),
            )
            found[table.name] = TableState(*row)
    for table in declaration.tables:
        if table.fresh_by == BY_HOOKS:
            found[table.name] = replace(found[table.name], confirmed_at=confirmed_at(db, table.name, not_after))
    return found


def count_recent(db: DuckDBPyConnection, kind: str, now: datetime) -> tuple[int, int]:
    """How many loads of a kind the last hour has, and how many of them failed."""
    row = one_row(
        db,
        "SELECT count(*), count(*) FILTER (status = 'failed') FROM ops.loads "
        "WHERE kind = ? AND started_at > ? AND started_at <= ?",
        [kind, now - timedelta(hours=1), now + CLOCKS_DIFFER],
    )
    return row[0], row[1]


def table_findings(declaration: LoadDeclaration, tables: Mapping[str, TableState]) -> Iterator[Finding]:
    """Checks of rows."""
    for table in declaration.tables:
        state = tables[table.name]
        if table.unique:
            wrong = f"{state.duplicates} rows too many" if state.duplicates else ""
            yield Finding("keys_unique", table.key, wrong)
        if table.not_negative:
            names = escape.some(state.negative, escape.markdown)
            wrong = f"{len(state.negative)} rows have values below zero: {names}" if state.negative else ""
            yield Finding("values_in_range", table.key, wrong)


def load_findings(
    declaration: LoadDeclaration,
    stored: StoredLoad,
    tables: Mapping[str, TableState],
    recent: tuple[int, int],
    now: datetime,
) -> Iterator[Finding]:
    """Checks of a load, also of one that got nothing."""
    for table in declaration.tables:
        if table.fresh_by:
            yield _fresh(table.key, tables[table.name], declaration.stale_after_s, now)
    row, key = stored.row, declaration.facts_key
    missing = escape.some(row["missing"], escape.markdown)
    yield Finding("complete", key, f"{row['status']}, missing: {missing}" if row["missing"] else "")
    if declaration.load_time_s is not None:
        slow = row["load_s"] > declaration.load_time_s
        wrong = f"{seconds(row['load_s'])} from tick to commit, over {declaration.load_time_s:g} s" if slow else ""
        yield Finding("load_time", key, wrong, {"load_s": rounded(row["load_s"])})
    if declaration.failures_under is not None:
        loads, failed = recent
        rate = failed / max(loads, 1)
        wrong = f"{failed} of the last hour's {loads} loads failed ({percent(rate)})"
        metadata = {"failed": failed, "loads": loads}
        yield Finding("failure_rate", key, wrong if rate >= declaration.failures_under else "", metadata)


def _fresh(asset: str, state: TableState, stale_after_s: float, now: datetime) -> Finding:
    if state.confirmed_at is None:
        wrong = "no response of the last day, by this machine's clock" if state.rows else "there was never a response"
        return Finding("fresh", asset, f"not fresh: {wrong}")
    age_s = max(0.0, (now - state.confirmed_at).total_seconds())
    wrong = f"the latest response is over {stale_after_s:g} s old: {seconds(age_s)}" if age_s > stale_after_s else ""
    return Finding("fresh", asset, wrong, {"age_s": rounded(age_s)})
