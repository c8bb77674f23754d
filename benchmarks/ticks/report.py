"""The result as Markdown, from the facts that the cycles left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.ticks.statistics import Estimate, mean, quantile
from lcw_assets.defs.monitoring.causes import PHASES
from lcw_assets.rounding import digits, percent, seconds
from lcw_assets.warehouse.connection import open_database

QUERY = """
SELECT cycles.*, cpu, processors, load, second(scheduled_at) AS offset_s
FROM ops.cycles
LEFT JOIN ops.machine_during('-infinity'::TIMESTAMPTZ, 'infinity'::TIMESTAMPTZ) USING (cycle_id)
WHERE scheduled_at IS NOT NULL AND NOT late_tick
ORDER BY started_at
"""
HOLDERS = """
SELECT count(*) AS waits, count(DISTINCT load_id) AS loads, avg(waited_s) AS mean_s, max(waited_s) AS most_s
FROM ops.lock_waits WHERE load_id IN (SELECT cycle_id FROM ops.cycles)
"""


def markdown(database: Path, beat_s: int) -> str:
    with open_database(database, read_only=True) as db:
        found = db.execute(QUERY)
        columns = [column[0] for column in found.description or ()]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
        waits, loads, mean_s, most_s = db.execute(HOLDERS).fetchall()[0]
    seconds_of = {name: np.array([row[name] or 0.0 for row in rows]) for name in ("cycle_s", *PHASES)}
    total = seconds_of["cycle_s"]
    slow = total >= np.quantile(total, 0.95)
    p99 = quantile(total.tolist(), 0.99)
    lines = [
        f"{len(rows):,} cycles of 1,000 coins, one every {beat_s} s, under `september`; seconds from the tick to the "
        "commit:",
        "",
        "| | mean | median | p95 | p99 | largest | in the slowest 5 % |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_row(name, values, slow) for name, values in seconds_of.items()),
        "",
        f"mean {_said(mean(total.tolist()))}; median {_said(quantile(total.tolist(), 0.5))}; "
        f"p95 {_said(quantile(total.tolist(), 0.95))}; p99 {_said(p99)}.",
        "",
        f"Over 20 s: {int((total > 20).sum())}. {_statuses(rows)}. {_calls(rows)}. "
        + (
            f"{loads:,} cycles waited for the database, {seconds(mean_s)} each, at most {seconds(most_s)}."
            if waits
            else "None waited for the database."
        ),
        "",
        f"{_full_minute(rows)}.",
        "",
        f"The machine: {psutil.cpu_count()} processors; while cycles ran {_spread(rows, 'cpu', percent)} of the CPU in "
        f"use, load {_spread(rows, 'load', digits)} (mean, most).",
    ]
    return "\n".join(lines)


def _row(name: str, values: Any, slow: Any) -> str:
    figures = (np.mean(values), *np.quantile(values, [0.5, 0.95, 0.99]), np.max(values), np.mean(values[slow]))
    title = "**tick to commit**" if name == "cycle_s" else name.removesuffix("_s").replace("_", " ")
    return f"| {title} | " + " | ".join(digits(float(figure)) for figure in figures) + " |"


def _said(estimate: Estimate) -> str:
    return (
        f"{seconds(estimate.value)} ({percent(estimate.confidence)} interval {digits(estimate.low)} to "
        f"{digits(estimate.high)})"
    )


def _statuses(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = {status: sum(row["status"] == status for row in rows) for status in ("complete", "partial", "failed")}
    return ", ".join(f"{count:,} {status}" for status, count in counts.items())


def _calls(rows: Sequence[Mapping[str, Any]]) -> str:
    calls, hedges = sum(row["calls"] for row in rows), sum(row["hedges"] for row in rows)
    return f"{percent(hedges / (calls - hedges))} extra calls from hedging"


def _full_minute(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where ticks are Dagster's own, beside the ticks that waited within their minute."""

    def median(name: str, *, own: bool) -> str:
        return seconds(float(np.median([row[name] for row in rows if (row["offset_s"] == 0) == own])))

    count = sum(row["offset_s"] == 0 for row in rows)
    if not count:
        return "None of these at a full minute"
    said = (
        f"{count} of these at a full minute: median {median('cycle_s', own=True)}, queue {median('queue_s', own=True)}"
    )
    return said + (f"; queue of the others {median('queue_s', own=False)}" if count < len(rows) else "")


def _spread(rows: Sequence[Mapping[str, Any]], name: str, say: Any) -> str:
    values = [row[name] for row in rows if row[name] is not None]
    return f"{say(float(np.mean(values)))}, {say(float(np.max(values)))}" if values else "unknown"
