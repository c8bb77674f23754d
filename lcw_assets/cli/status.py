"""How the last cycle went, and the state of everything else. Calls no API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import duckdb

from lcw_assets.cli import SQL
from lcw_assets.cli.text import age, moment
from lcw_assets.defs.monitoring.causes import PHASES
from lcw_assets.defs.monitoring.sla import Sla, SlaError, judge, load_sla
from lcw_assets.ingest.measures import Window, read_measures
from lcw_assets.ingest.spool import Spool
from lcw_assets.rounding import seconds
from lcw_assets.settings import DataSettings
from lcw_assets.sources.spec import Group, Source, loaded_together
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import WarehouseError
from lcw_assets.warehouse.tables import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def status(settings: DataSettings, now: datetime) -> list[str]:
    """A line a subject. Raises `WarehouseError`."""
    spooled = "".join(f"; {state}" for _, state in _sources(settings))
    try:
        with open_database(settings.database, read_only=True) as db:
            cycle = SQL.rows(db, "last_cycle")
            if not cycle:
                return [f"no cycle in {settings.database} yet", *_source_lines(db, settings, now)]
            lines = [*cycle_lines(cycle[0], now), *_state(db, settings, now), *_source_lines(db, settings, now)]
            coins, ticks, cycles = one_row(
                db,
                "SELECT (SELECT count(*) FROM market.coins), (SELECT count(*) FROM market.coin_ticks), "
                "(SELECT count(*) FROM ops.cycles)",
            )
    except WarehouseError as error:
        raise WarehouseError(f"{error}{spooled}") from None
    except duckdb.CatalogException:
        return [f"no tables in {settings.database} yet, or not all of them: `make cycle` makes them{spooled}"]
    size = settings.database.stat().st_size / 1e6
    return [
        "",
        *lines,
        f"data     {settings.database}: coins {coins:,}, ticks {ticks:,}, cycles {cycles:,}, {size:.1f} MB",
        f"look     make dev, then {settings.ui_url}",
    ]


def _sources(settings: DataSettings) -> Iterator[tuple[Source | Group, str]]:
    """Each source or group that is off or has loads waiting, and that in words."""
    for source in loaded_together():
        own = settings.of(source)
        waiting = len(Spool(own.spool_dir).pending())
        said = [f"waiting to be stored, in {own.spool_dir}: {waiting}"] if waiting else []
        if own.off or said:
            yield source, "; ".join([*([own.off] if own.off else []), *said])


def _source_lines(db: DuckDBPyConnection, settings: DataSettings, now: datetime) -> Iterator[str]:
    """How old the data of each source or group is, or why it is off, and how many of its loads wait."""
    states = {source.name: state for source, state in _sources(settings)}
    for source in loaded_together():
        one = source if isinstance(source, Source) else next(iter(source.sources.values()))
        table, column = one.watch
        newest = None
        with suppress(duckdb.CatalogException):  # a table that its first load is going to make
            [newest] = one_row(db, f"SELECT max({column}) FROM {table}")  # noqa: S608 - identifiers, of a declaration
        old = f"{age(newest, now)} old" if newest else "no data yet"
        out = "" if isinstance(source, Source) else _out(db, source, now)
        said = filter(None, [f"{source.title}, {old}", out, states.get(source.name)])
        yield f"{source.name:8} " + "; ".join(said)


def _out(db: DuckDBPyConnection, group: Group, now: datetime) -> str:
    """Which sources of a group are out, and since when."""
    found: list[dict[str, Any]] = []
    with suppress(duckdb.CatalogException):
        found = [row for row in SQL.rows(db, "sources_out") if row["source"] in group.sources]
    out = ", ".join(f"{row['source']} since {moment(row['since'], now)}" for row in found)
    return f"out: {out}" if out else ""


def cycle_lines(row: dict[str, Any], now: datetime) -> list[str]:
    """A row of `ops.cycles` in words."""
    sums = " + ".join(f"{phase.removesuffix('_s').replace('_', ' ')} {row[phase] or 0:.2f}" for phase in PHASES)
    took = "unknown" if row["cycle_s"] is None else f"{row['cycle_s']:.2f}"
    return [
        f"cycle    {row['cycle_id']}: {row['status']}, {age(row['committed_at'], now)} ago, from {row['source']}",
        f"rows     {row['coins_seen']:,} coins, {row['coins_changed']:,} changed, {row['quarantined']} quarantined",
        f"calls    {row['calls']}, {row['retries']} of them repeats, {row['bytes'] / 1e3:,.0f} KB",
        f"seconds  {took} = {sums}",
        *(f"missing  {missed}" for missed in row["missing"]),
    ]


def _state(db: DuckDBPyConnection, settings: DataSettings, now: datetime) -> Iterator[str]:
    try:
        sla = load_sla(settings.sla_file)
        yield _speed(db, sla, now)
    except SlaError as error:
        sla = load_sla()
        yield f"speed    not judged: {error}"
    yield f"credits  {_credits(db, now)}"
    yield f"alerts   {_alerts(db, settings, sla, now)}"
    for part, tables in groupby(SQL.rows(db, "ages"), key=lambda row: row["part"]):
        ages = [(row["name"], row["moment"]) for row in tables if row["moment"]]
        parts = (
            f"{name} until {at:%Y-%m-%d}" if part == "history" else f"{name} {age(at, now)} old" for name, at in ages
        )
        yield f"{part:8} {', '.join(parts) or 'nothing yet'}"


def _speed(db: DuckDBPyConnection, sla: Sla, now: datetime) -> str:
    measures = read_measures(db, Window.before(now, 72), sla.seconds())
    if measures.mean_s is None:
        return "speed    no cycle in the last 72 hours"
    missed = {
        name: sum(not verdict.passed for verdict in judge(targets, measures)) for name, targets in sla.sets.items()
    }
    return (
        f"speed    {measures.cycles:,} cycles in 72 hours: mean {seconds(measures.mean_s)}, "
        f"p99 {seconds(measures.p99_s or 0)}, slowest {seconds(measures.slowest_s or 0)}; targets "
        + ", ".join(
            f"{name.replace('_', ' ')} {f'{count} missed' if count else 'met'}" for name, count in missed.items()
        )
    )


def _credits(db: DuckDBPyConnection, now: datetime) -> str:
    """As of the latest response. They begin anew at 00:00 UTC."""
    found = SQL.rows(db, "credits")
    if not found:
        return "not known: no response of the last 100 cycles has how many are left"
    row = found[0]
    if row["received_at"].date() != now.date():
        return f"not known yet today; {row['limit_']:,} a day"
    since = f", less {row['calls_since']:,} calls since" if row["calls_since"] else ""
    return f"{row['left_']:,} of {row['limit_']:,} left today, {age(row['received_at'], now)} ago{since}"


def _alerts(db: DuckDBPyConnection, settings: DataSettings, sla: Sla, now: datetime) -> str:
    repeated_since = now - timedelta(seconds=sla.alerts.repeat_at_most_s + sla.alerts.over_after_s)
    found = SQL.rows(db, "open_alerts", {"repeated_since": repeated_since})
    open_ = ", ".join(f"{row['incident']} ({row['severity']}, since {moment(row['since'], now)})" for row in found)
    outbox = len(list(settings.alerts_dir.glob("*.json")))
    waiting = f"; {outbox} wait to be delivered or stored" if outbox else ""
    return f"{len(found)} open: {open_}{waiting}" if found else f"none open{waiting}"
