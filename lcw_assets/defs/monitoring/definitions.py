"""Reports, and the sensors that watch, as Dagster sees them."""

from lcw_assets.defs.monitoring.assets import performance_72h, performance_daily, slow_cycles
from lcw_assets.defs.monitoring.jobs import performance_day, performance_report
from lcw_assets.defs.monitoring.schedules import performance_day_daily, performance_report_hourly
from lcw_assets.defs.monitoring.sensors import watch_checks, watch_cycles, watch_runs

__all__ = [
    "performance_72h",
    "performance_daily",
    "performance_day",
    "performance_day_daily",
    "performance_report",
    "performance_report_hourly",
    "slow_cycles",
    "watch_checks",
    "watch_cycles",
    "watch_runs",
]
