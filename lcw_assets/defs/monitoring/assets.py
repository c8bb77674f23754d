"""The reports."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets import escape
from lcw_assets.defs.monitoring.sla import Sla, SlaError, load_sla
from lcw_assets.defs.monitoring.specs import DAYS, report_spec
from lcw_assets.defs.monitoring.ticks import read_schedule
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.backfills import join_runs
from lcw_assets.orchestration.database import database
from lcw_assets.orchestration.run_settings import data_settings
from lcw_assets.rounding import digits, rounded
from lcw_assets.sources.lcw.spec import SOURCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.defs.monitoring.report import Report
    from lcw_assets.ingest.measures import Window

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dg.multi_asset(
    name="performance_72h",
    specs=[
        report_spec("performance_72h", "The last 72 hours: how fast, where the time went, is it enough.", every=_HOUR)
    ],
    required_resource_keys={"warehouse"},
)
def performance_72h(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """A row a report, and the newest one as a page: `reports/performance.html` in the data folder."""
    from lcw_assets.coordination.disk import complaint
    from lcw_assets.defs.monitoring.render import render, write_html
    from lcw_assets.ingest.measures import Window

    now = datetime.now(timezone.utc)
    report = _report(context, Window.before(now, 72), now)
    markdown, html = render(report, "Cycle times, last 72 hours")
    file = data_settings().report_file
    try:
        write_html(html, file)
    except OSError as error:
        raise dg.Failure(complaint(file.parent, error, "reports"), allow_retries=False) from None
    with database(context) as db:
        _store(db, "reports.performance_72h", report)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.md(markdown),
            "page": dg.MetadataValue.path(file),
            **_figures(report),
        }
    )


@dg.multi_asset(
    name="performance_daily",
    specs=[
        report_spec(
            "performance_daily", "Each day from 00:00 to 24:00 UTC: how fast the cycles were.", every=24 * _HOUR
        )
    ],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    required_resource_keys={"warehouse"},
)
def performance_daily(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """A row a day; a day that is reported again replaces its row. The Markdown is that of the latest day."""
    from lcw_assets.defs.monitoring.render import render
    from lcw_assets.ingest.measures import Window
    from lcw_assets.warehouse.tables import transaction

    join_runs(context)
    now = datetime.now(timezone.utc)
    reports = []
    for key in _days(context, now):
        day = DAYS.time_window_for_partition_key(key)
        report = _report(context, Window(day.start, day.end), now)
        reports.append(report)
        with database(context) as db, transaction(db):
            db.execute("DELETE FROM reports.performance_daily WHERE window_start = ?", [day.start])
            _store(db, "reports.performance_daily", report)
    markdown, _ = render(reports[-1], f"Cycle times, {context.partition_keys[-1]}")
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.md(markdown),
            "days": ", ".join(context.partition_keys),
            **_figures(reports[-1]),
        }
    )


@dg.multi_asset(
    name="slow_cycles",
    specs=[
        report_spec("slow_cycles", "Every cycle over 30 s (a setting), with its likely cause in words.", every=_HOUR)
    ],
    required_resource_keys={"warehouse"},
)
def slow_cycles(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Adds those that are not in the table yet."""
    from lcw_assets.defs.monitoring.slow import add_slow_cycles

    sla = _sla()
    with database(context) as db:
        added, rows = add_slow_cycles(db, over_s=sla.bands.normal_s, now=datetime.now(timezone.utc))
    lines = ["| began | seconds | status | likely cause |", "|---|---:|---|---|"]
    lines += [
        f"| {slow.started_at:%Y-%m-%d %H:%M:%S} | {digits(slow.cycle_s)} | {slow.status} | {escape.cell(slow.cause)} |"
        for slow in added[:20]
    ]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            "rows_added": len(added),
            "newest": dg.MetadataValue.md("\n".join(lines) if added else "No slow cycle since the report before."),
            "slow": f"over {sla.bands.normal_s:g} s",
        }
    )


def _days(context: dg.AssetExecutionContext, now: datetime) -> Sequence[str]:
    """The days of a run. What its tags name besides is not a day that can be reported."""
    if not context.has_partition_key and not context.has_partition_key_range:
        raise dg.Failure("reports/performance_daily is made by days: name a partition or a range", allow_retries=False)
    window = context.partition_time_window
    if not DAYS.start <= window.start < window.end <= now:
        raise dg.Failure(
            f"{window.start:%Y-%m-%d} to {window.end - _DAY:%Y-%m-%d}: reports are of days that are over, from "
            f"{DAYS.start:%Y-%m-%d} on, and a range begins before it ends",
            allow_retries=False,
        )
    return list(context.partition_keys)


def _report(context: dg.AssetExecutionContext, window: "Window", now: datetime) -> "Report":
    from lcw_assets.defs.monitoring.report import READ_CONFIG, make_report, read_facts

    sla = _sla()
    schedule = read_schedule(context.instance, Spool(data_settings().of(SOURCE).spool_dir), window.start, now)
    with database(context, config=READ_CONFIG) as db:
        facts = read_facts(db, window, sla, schedule)
    report = make_report(facts, sla, now)
    for name, verdicts in report.verdicts.items():
        missed = [str(verdict) for verdict in verdicts if not verdict.passed]
        context.log.info(f"{name}: " + ("missed: " + "; ".join(missed) if missed else "met"))
    return report


def _sla() -> Sla:
    try:
        return load_sla(data_settings().sla_file)
    except SlaError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def _store(db: "DuckDBPyConnection", table: str, report: "Report") -> None:
    from lcw_assets.warehouse.tables import append_row

    append_row(db, table, report.row())


def _figures(report: "Report") -> dict[str, Any]:
    """The numbers, which the UI plots over time, and of each set of targets how many are missed."""
    row, idle = report.row(), report.facts.idle
    numbers = {name: rounded(value) for name, value in row.items() if isinstance(value, int | float)}
    numbers |= {"minutes_without_a_cycle": idle.minutes}
    if idle.ticks_known:
        numbers |= {"skipped_ticks": len(idle.skipped), "failed_ticks": len(idle.failed)}
    missed = {
        f"{name} missed": sum(not verdict.passed for verdict in verdicts) for name, verdicts in report.verdicts.items()
    }
    return numbers | missed
