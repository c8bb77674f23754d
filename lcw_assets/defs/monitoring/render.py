"""The report for people: Markdown for Dagster's UI, and one HTML file that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from lcw_assets import escape
from lcw_assets.defs.monitoring.charts import distribution_chart, on_page, on_white, time_chart
from lcw_assets.defs.monitoring.idle import most_common_reason
from lcw_assets.defs.monitoring.report import Report, Row
from lcw_assets.defs.monitoring.sla import Verdict
from lcw_assets.defs.monitoring.sla import shares as shares_of
from lcw_assets.rounding import digits, percent, seconds

_TEMPLATES = Path(__file__).parent / "templates"

# How many stretches without a cycle are listed.
_STRETCHES = 5


# By heading: which value of a row, and how it is shown.
_Columns = dict[str, tuple[str, Callable[[Any], str]]]


@dataclass(frozen=True)
class _Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    prose: bool = False  # the last column is text


def render(report: Report, title: str) -> tuple[str, str]:
    """Markdown and HTML."""
    drawn = {"time_chart": time_chart, "distribution_chart": distribution_chart} if report.facts.measures.timed else {}
    charts = {name: draw(report.facts, report.sla.bands) for name, draw in drawn.items()}
    values = {
        "title": title,
        "report": report,
        "facts": report.facts,
        "sla": report.sla,
        "headline": _headline(report),
        "status_line": _status_line(report),
        "bands": _bands(report),
        "tables": [_idle(report), _phases(report), _endpoints(report), _changes(report), _resources(report)],
        "sla_word": _sla_word,
    }
    on_pages = {name: Markup(on_page(svg)) for name, svg in charts.items()}  # noqa: S704 - drawn here
    images = {name: _data_uri(on_white(svg)) for name, svg in charts.items()}
    markdown = _templates().get_template("performance.md.jinja").render(**values, **images)
    return markdown, _templates().get_template("performance.html.jinja").render(**values, **on_pages)


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _headline(report: Report) -> list[tuple[str, str]]:
    measures = report.facts.measures
    names = ("mean", "median", "fastest", "slowest", "p95", "p99")
    return [("cycles", f"{measures.cycles:,}"), *((name, _seconds(getattr(measures, f"{name}_s"))) for name in names)]


def _status_line(report: Report) -> str:
    measures = report.facts.measures
    line = f"{measures.complete:,} complete, {measures.partial:,} partial, {measures.failed:,} failed"
    if measures.untimed:
        line += f"; {measures.untimed:,} without a usable time (killed, or the clock went back)"
    return f"{line}. {measures.calls:,} calls, {_percent(measures.error_rate)} of them failed."


def _bands(report: Report) -> list[tuple[str, str, float | None]]:
    bands = report.sla.bands
    limits = [f"{bands.fast_s:g} s", f"{bands.normal_s:g} s", f"{bands.slow_s:g} s", f"over {bands.slow_s:g} s"]
    shares = shares_of(report.facts.measures, report.sla)
    return [(name, limit, share) for (name, share), limit in zip(shares.items(), limits, strict=True)]


def _idle(report: Report) -> _Table:
    idle = report.facts.idle
    longest = [f"{_moment(stretch.start)} to {_moment(stretch.end)}" for stretch in idle.stretches[:_STRETCHES]]
    more = len(idle.stretches) - len(longest)
    which = "; ".join([*longest, *([f"and {more:,} shorter"] if more else [])])
    rows = [["minutes without a cycle", f"{idle.minutes:,} of {idle.examined:,}", which]]
    if idle.ticks_known:
        reason = most_common_reason(idle.skipped)
        while_one_ran = f"{idle.skipped_for_a_cycle:,} while a cycle ran; most often: {reason}" if reason else ""
        rows.append(["skipped ticks", f"{len(idle.skipped):,}", while_one_ran])
        rows.append(["failed ticks", f"{len(idle.failed):,}", most_common_reason(idle.failed)])
    note = "a minute in which a cycle was still running counts as one with a cycle, and its tick as skipped"
    note += "" if idle.ticks_known else "; Dagster has forgotten the ticks of that time"
    return _Table("Minutes without a cycle", ("", "number", "which"), rows, note, prose=True)


def _phases(report: Report) -> _Table:
    numbers = {name: (f"{name}_s", _seconds) for name in ("mean", "median", "p95", "p99", "slowest")}
    columns: _Columns = {"phase": ("phase", _words), **numbers, "share": ("share", _percent)}
    return _table("Where the seconds went", columns, report.facts.phases)


def _endpoints(report: Report) -> _Table:
    columns: _Columns = {"endpoint": ("endpoint", str), "calls": ("calls", digits), "errors": ("error_rate", _percent)}
    columns |= {name: (f"{name}_s", _seconds) for name in ("median", "p95", "p99")}
    columns |= {"bytes": ("bytes", _bytes), "retries": ("retries", digits), "hedges": ("hedges", digits)}
    return _table("The endpoints", columns, report.facts.endpoints)


def _table(title: str, columns: _Columns, rows: Sequence[Row]) -> _Table:
    return _Table(title, list(columns), [[show(row[key]) for key, show in columns.values()] for row in rows])


def _changes(report: Report) -> _Table:
    rows = []
    for change in report.changes:
        times = (change.before_s, change.now_s, change.mean_before_s, change.mean_now_s)
        chance = "" if change.chance is None else f"{change.chance:.2g}"
        rows.append([change.measure, *map(seconds, times), seconds(change.difference_s, "+"), chance, change.trend])
    before = report.facts.before
    note = (
        f"{before.cycles:,} cycles then, with {before.partial:,} partial and {before.failed:,} failed. "
        "Chance: how likely so large a difference of ranks is when nothing has changed (Mann-Whitney U test)"
    )
    columns = ("what", "median before", "now", "mean before", "now", "difference", "chance", "verdict")
    return _Table("Against the window before", columns, rows, note)


def _resources(report: Report) -> _Table:
    kinds = (
        ("CPU in use", "cpu", _percent),
        ("load", "load", _number),
        ("memory in use", "memory", _percent),
        ("the process's memory", "process", _bytes),
        ("received since the measurement before", "received", _bytes),
        ("sent since the measurement before", "sent", _bytes),
        ("open connections", "connections", _number),
        ("spooled cycles", "spool", _number),
        ("database", "database", _bytes),
    )
    moments: list[Row] = list(report.facts.resources)
    cells = [(row, kind) for row in moments for kind in ("mean", "most")]
    columns = ["", *(f"{row['moment']}, {kind}" for row, kind in cells)]
    rows = [[label, *(show(row[f"{name}_{kind}"]) for row, kind in cells)] for label, name, show in kinds]
    return _Table("The machine at the start and the end of a cycle", columns, rows if moments else [])


def _sla_word(verdicts: Sequence[Verdict]) -> Any:
    failed = sum(not verdict.passed for verdict in verdicts)
    kind, word = ("fail", f"{failed} of {len(verdicts)} missed") if failed else ("pass", "met")
    return Markup('<b class="{}">{}</b>').format(kind, word)


def _known(show: Callable[[float], str]) -> Callable[[float | None], str]:
    """Nothing for what was not measured."""
    return lambda value: "" if value is None else show(value)


_seconds, _percent, _number = _known(seconds), _known(percent), _known(digits)


def _bytes(value: float | None) -> str:
    if value is None:
        return ""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 999.5:
            return f"{digits(value)} {unit}"
        value /= 1000
    return f"{digits(value)} TB"


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M}"


def _words(name: str) -> str:
    return name.removesuffix("_s").replace("_", " ")


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "seconds": _seconds,
        "limit": lambda limit_s: f"{limit_s:g} s",
        "percent": _percent,
        "moment": _moment,
        "words": _words,
        "cell": escape.cell,
        "markdown": escape.markdown,
    }
    return templates
