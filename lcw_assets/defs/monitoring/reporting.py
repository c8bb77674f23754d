"""A report from the tables into its table, and onto its page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lcw_assets.coordination.files import write_file
from lcw_assets.defs.monitoring.idle import Schedule
from lcw_assets.defs.monitoring.render import render
from lcw_assets.defs.monitoring.report import READ_CONFIG, Report, make_report, read_facts
from lcw_assets.defs.monitoring.sla import Sla
from lcw_assets.ingest.measures import Window
from lcw_assets.warehouse.tables import append_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    # Called with `config`, the settings of the connection.
    Connect = Callable[..., AbstractContextManager[DuckDBPyConnection]]


def report_on(connect: Connect, window: Window, schedule: Schedule, sla: Sla, now: datetime) -> Report:
    with connect(config=READ_CONFIG) as db:
        facts = read_facts(db, window, sla, schedule)
    return make_report(facts, sla, now)


def store_72h(connect: Connect, report: Report, page: Path) -> str:
    """Replace the page atomically, and add a row. Returns the Markdown. Raises `OSError` of the page."""
    markdown, html = render(report, "Cycle times, last 72 hours")
    write_file(page, html)
    with connect() as db:
        append_row(db, "reports.performance_72h", report.row())
    return markdown


def store_day(connect: Connect, report: Report) -> str:
    """Replace the row of the day. Returns the Markdown."""
    start = report.facts.window.start
    with connect() as db, transaction(db):
        db.execute("DELETE FROM reports.performance_daily WHERE window_start = ?", [start])
        append_row(db, "reports.performance_daily", report.row())
    return render(report, f"Cycle times, {start:%Y-%m-%d}")[0]
