"""Reports, and the sensors that watch, as Dagster sees them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.monitoring.assets import performance_72h, performance_daily, slow_cycles
from lcw_assets.defs.monitoring.checks import read_sla, sla_checks, sla_results
from lcw_assets.defs.monitoring.jobs import performance_day, performance_report
from lcw_assets.defs.monitoring.schedules import performance_day_daily, performance_report_hourly
from lcw_assets.defs.monitoring.sensors import watch_checks, watch_cycles, watch_runs
from lcw_assets.defs.monitoring.sla import Sla, SlaError
from lcw_assets.ingest.step import ExtraChecks

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.defs.monitoring.sla_state import SlaState


def _read_sla_state(db: "DuckDBPyConnection", row: Mapping[str, Any]) -> "tuple[Sla | SlaError, SlaState | None]":
    from lcw_assets.defs.monitoring.sla_state import read_sla_state  # 6 ms, after the commit

    sla = read_sla()
    return sla, read_sla_state(db, row, sla) if isinstance(sla, Sla) else None


sla = ExtraChecks(
    job="fetch_cycle",
    specs=sla_checks,
    read=_read_sla_state,
    results=lambda found: sla_results(found[1], found[0]),
)

__all__ = [
    "performance_72h",
    "performance_daily",
    "performance_day",
    "performance_day_daily",
    "performance_report",
    "performance_report_hourly",
    "sla",
    "slow_cycles",
    "watch_checks",
    "watch_cycles",
    "watch_runs",
]
