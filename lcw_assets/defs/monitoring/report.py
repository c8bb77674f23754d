"""The performance report of a window: everything that is read while the database is open, and nothing after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.monitoring import SQL
from lcw_assets.defs.monitoring.causes import PHASES
from lcw_assets.defs.monitoring.changes import Change, Samples, compare, read_samples
from lcw_assets.defs.monitoring.idle import Idle, Schedule, read_idle
from lcw_assets.defs.monitoring.sla import Sla, Verdict, judge, shares
from lcw_assets.defs.monitoring.slow import SlowCycle, read_slowest, read_usual
from lcw_assets.ingest.measures import Measures, Window, read_measures
from lcw_assets.warehouse.tables import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# For the connection that reads: a year of facts takes 400 MB with it, and 620 without, most of that cached blocks.
READ_CONFIG = {"memory_limit": "300MB"}

# As many stretches as a chart can show, and as many slow cycles as anybody reads.
_BUCKETS = 360
_SLOWEST = 20
_MARKED = 300

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """What the tables have of a window, of which `shown` is the part that a chart shows.

    Rows are as the queries in `sql/` name them: seconds, bytes, shares.
    """

    window: Window
    shown: Window
    sources: Sequence[str]
    measures: Measures
    phases: Sequence[Row]
    endpoints: Sequence[Row]
    slowest: Sequence[SlowCycle]
    resources: Sequence[Row]
    series: Sequence[Row]
    histogram: Sequence[Row]
    marked: Sequence[tuple[datetime, float]]
    samples: Samples
    samples_before: Samples
    before: Measures
    idle: Idle


@dataclass(frozen=True)
class Report:
    """Facts, and what follows from them. `verdicts` is by set of targets."""

    facts: Facts
    sla: Sla
    computed_at: datetime
    verdicts: Mapping[str, Sequence[Verdict]]
    changes: Sequence[Change]

    def row(self) -> dict[str, Any]:
        """As in `reports.performance_72h` and `reports.performance_daily`."""
        window, measures = self.facts.window, self.facts.measures
        same = ("cycles", "complete", "partial", "failed", "untimed", "mean_s", "median_s", "fastest_s", "slowest_s")
        return {
            "window_start": window.start,
            "window_end": window.end,
            "computed_at": self.computed_at,
            **{name: getattr(measures, name) for name in (*same, "p95_s", "p99_s", "calls", "error_rate")},
            **shares(measures, self.sla),
            "targets": [
                {
                    "set": name,
                    "target": f"{verdict.target.name} {verdict.target.limit}",
                    "value": verdict.value,
                    "passed": verdict.passed,
                }
                for name, verdicts in self.verdicts.items()
                for verdict in verdicts
            ],
        }


def read_facts(db: DuckDBPyConnection, window: Window, sla: Sla, schedule: Schedule) -> Facts:
    """Read a window. Short: while it reads, no cycle can store."""
    parameters = window.parameters()
    measures = read_measures(db, window, sla.seconds())
    phases = sorted(SQL.rows(db, "phases", parameters), key=lambda row: PHASES.index(row["phase"]))
    window_sql = "FROM ops.cycles WHERE started_at >= $start AND started_at < $end"
    sources = db.execute(f"SELECT DISTINCT source {window_sql} ORDER BY source", parameters).fetchall()
    marked = db.execute(
        f"SELECT started_at, cycle_s {window_sql} AND cycle_s > $over_s AND isfinite(cycle_s) "
        "ORDER BY cycle_s DESC LIMIT $most",
        {**parameters, "over_s": sla.bands.normal_s, "most": _MARKED},
    ).fetchall()
    before = read_measures(db, window.previous(), sla.seconds())
    shown = _shown(db, window, whole=before.cycles > 0)
    bucket_us = max(1, int(shown.length.total_seconds() * 1e6 / _BUCKETS))
    return Facts(
        window=window,
        shown=shown,
        sources=[source for (source,) in sources],
        measures=measures,
        phases=phases,
        endpoints=SQL.rows(db, "endpoints", parameters),
        slowest=read_slowest(db, window, over_s=sla.bands.fast_s, most=_SLOWEST, usual=read_usual(db, window)),
        resources=SQL.rows(db, "resources", parameters),
        series=SQL.rows(db, "series", {**parameters, "bucket_us": bucket_us}),
        histogram=SQL.rows(db, "histogram", parameters),
        marked=marked,
        samples=read_samples(db, window),
        samples_before=read_samples(db, window.previous()),
        before=before,
        idle=read_idle(db, window, schedule),
    )


def _shown(db: DuckDBPyConnection, window: Window, *, whole: bool) -> Window:
    """What a chart shows: the `whole` window, or of a young database the part that has cycles."""
    first, last = one_row(
        db,
        "SELECT min(started_at), max(started_at) FROM ops.cycles WHERE started_at >= $start AND started_at < $end",
        window.parameters(),
    )
    if whole or first is None:
        return window
    edge = max((last - first) / 50, timedelta(seconds=30))
    return Window(first - edge, last + edge)


def make_report(facts: Facts, sla: Sla, computed_at: datetime) -> Report:
    return Report(
        facts=facts,
        sla=sla,
        computed_at=computed_at,
        verdicts={name: list(judge(targets, facts.measures)) for name, targets in sla.sets.items()},
        changes=compare(facts.samples_before, facts.samples),
    )
