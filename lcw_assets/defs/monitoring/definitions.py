"""The reports, with their jobs and schedules; and the sensors that watch, for Dagster to find here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets import escape
from lcw_assets.coordination.disk import complaint
from lcw_assets.defs.monitoring.checks import read_sla, sla_checks, sla_results
from lcw_assets.defs.monitoring.schedules import read_schedule
from lcw_assets.defs.monitoring.sensors import watch_checks, watch_cycles, watch_runs
from lcw_assets.defs.monitoring.sla import Sla, SlaError, load_sla
from lcw_assets.ingest.measures import Window
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.step import ExtraChecks
from lcw_assets.orchestration.backfills import Days, join_runs
from lcw_assets.orchestration.database import database
from lcw_assets.orchestration.jobs import one_process_job
from lcw_assets.orchestration.run_settings import data_settings
from lcw_assets.orchestration.table import table_spec
from lcw_assets.rounding import digits, rounded
from lcw_assets.sources.lcw.spec import SOURCE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.defs.monitoring.report import Report

__all__ = ["watch_checks", "watch_cycles", "watch_runs"]

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
DAYS = Days(start_date="2026-01-01", timezone="UTC")


def _spec(name: str, description: str, *, every: timedelta) -> dg.AssetSpec:
    """A report that is made `every` so often: one that is missed is a warning, three are a breach."""
    freshness = dg.FreshnessPolicy.time_window(fail_window=3.5 * every, warn_window=1.5 * every)
    return table_spec(f"reports/{name}", description, "ops/cycles", "ops/calls", freshness=freshness)


@dg.multi_asset(
    specs=[_spec("performance_72h", "The last 72 hours: how fast, where the time went, is it enough.", every=_HOUR)],
    required_resource_keys={"warehouse"},
)
def performance_72h(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """A row a report, and the newest one as a page: `reports/performance.html` in the data folder."""
    from lcw_assets.defs.monitoring import reporting

    now = datetime.now(timezone.utc)
    report = _report(context, Window.before(now, 72), now)
    page = data_settings().report_file
    try:
        markdown = reporting.store_72h(partial(database, context), report, page)
    except OSError as error:
        raise dg.Failure(complaint(page.parent, error, "reports"), allow_retries=False) from None
    pages: dict[str, Any] = {"report": dg.MetadataValue.md(markdown), "page": dg.MetadataValue.path(page)}
    return dg.MaterializeResult(metadata={**pages, **_figures(report)})


@dg.multi_asset(
    specs=[_spec("performance_daily", "Each day from 00:00 to 24:00 UTC: how fast the cycles were.", every=_DAY)],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    required_resource_keys={"warehouse"},
)
def performance_daily(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """A row a day; a day that is reported again replaces its row. The Markdown is that of the latest day."""
    from lcw_assets.defs.monitoring import reporting

    join_runs(context)
    now = datetime.now(timezone.utc)
    for day in map(DAYS.time_window_for_partition_key, _days(context, now)):
        report = _report(context, Window(day.start, day.end), now)
        markdown = reporting.store_day(partial(database, context), report)
    pages: dict[str, Any] = {"report": dg.MetadataValue.md(markdown), "days": ", ".join(context.partition_keys)}
    return dg.MaterializeResult(metadata={**pages, **_figures(report)})


@dg.multi_asset(
    specs=[_spec("slow_cycles", "Every cycle over 30 s (a setting), with its likely cause in words.", every=_HOUR)],
    required_resource_keys={"warehouse"},
)
def slow_cycles(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """Adds those that are not in the table yet."""
    from lcw_assets.defs.monitoring import slow

    sla = _sla()
    with database(context) as db:
        added, rows = slow.add_slow_cycles(db, over_s=sla.bands.normal_s, now=datetime.now(timezone.utc))
    lines = ["| began | seconds | status | likely cause |", "|---|---:|---|---|"]
    lines += [
        f"| {one.started_at:%Y-%m-%d %H:%M:%S} | {digits(one.cycle_s)} | {one.status} | {escape.cell(one.cause)} |"
        for one in added[:20]
    ]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            "rows_added": len(added),
            "newest": dg.MetadataValue.md("\n".join(lines) if added else "No slow cycle since the report before."),
            "cause_codes": Counter(one.cause.code.name for one in added),
            "slow": f"over {sla.bands.normal_s:g} s",
        }
    )


performance_report = one_process_job(
    "performance_report",
    *("reports/performance_72h", "reports/slow_cycles"),
    description="Report the last 72 hours, and explain the cycles that were slow.",
    max_runtime_s=4200,  # they wait for the database for an hour at most
)

performance_day = one_process_job(
    "performance_day",
    "reports/performance_daily",
    description="Report a day, from 00:00 to 24:00 UTC; or many in one run: `dg launch --job performance_day "
    "--partition-range 2026-11-01...2026-11-07`.",
    max_runtime_s=4200,
    tags={"lcw/report-day": "true"},  # one at a time: see dagster.yaml
)

# Off the full hour, which has the largest cycle.
performance_report_hourly = dg.ScheduleDefinition(
    name="performance_report_hourly",
    job=performance_report,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour, seven minutes past.",
)

# A day that was missed while nothing ran is not made later: `dagster job backfill -j performance_day` is for that.
performance_day_daily = dg.build_schedule_from_partitioned_job(
    performance_day,
    name="performance_day_daily",
    hour_of_day=0,
    minute_of_hour=17,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 00:17 UTC, the day before.",
)


def _read_sla_state(db: "DuckDBPyConnection", row: Mapping[str, Any]) -> "tuple[Sla | SlaError, Any]":
    from lcw_assets.defs.monitoring.sla_state import read_sla_state  # 6 ms, after the commit

    sla = read_sla()
    return sla, read_sla_state(db, row, sla) if isinstance(sla, Sla) else None


# The SLA's checks are those of fetch cycles.
sla = ExtraChecks(
    job="fetch_cycle",
    specs=sla_checks,
    read=_read_sla_state,
    results=lambda found: sla_results(found[1], found[0]),
)


def _days(context: dg.AssetExecutionContext, now: datetime) -> Sequence[str]:
    """The days of a run: only days that are over can be reported."""
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


def _report(context: dg.AssetExecutionContext, window: Window, now: datetime) -> "Report":
    from lcw_assets.defs.monitoring import reporting

    schedule = read_schedule(context.instance, Spool(data_settings().of(SOURCE).spool_dir), window.start, now)
    report = reporting.report_on(partial(database, context), window, schedule, _sla(), now)
    for name, verdicts in report.verdicts.items():
        missed = [str(verdict) for verdict in verdicts if not verdict.passed]
        context.log.info(f"{name}: " + ("missed: " + "; ".join(missed) if missed else "met"))
    return report


def _sla() -> Sla:
    try:
        return load_sla(data_settings().sla_file)
    except SlaError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


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
