"""The report as people read it: Markdown for Dagster's UI, and one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcw_assets import escape
from lcw_assets.coordination import files
from lcw_assets.defs.monitoring.charts import distribution_chart, on_page, on_white, time_chart
from lcw_assets.defs.monitoring.idle import most_common_reason
from lcw_assets.defs.monitoring.report import Report, Row
from lcw_assets.defs.monitoring.verdicts import Verdict
from lcw_assets.defs.monitoring.verdicts import shares as shares_of
from lcw_assets.rounding import digits, percent, seconds

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

# Stretches without a cycle that are named.
_STRETCHES = 5


@dataclass(frozen=True)
class _Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    prose: bool = False  # the last column is text


def render(report: Report, title: str) -> tuple[str, str]:
    """Markdown and HTML."""
    from markupsafe import Markup

    charts: Mapping[str, str] = {}
    if report.facts.measures.timed:
        bands = report.sla.bands
        charts = {
            "time_chart": time_chart(report.facts, bands),
            "distribution_chart": distribution_chart(report.facts, bands),
        }
    told = {
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
    markdown = _templates().get_template("performance.md.jinja").render(**told, **images)
    return markdown, _templates().get_template("performance.html.jinja").render(**told, **on_pages)


def write_html(html: str, file: Path) -> None:
    """Whole or not at all: somebody may have it open."""
    files.write_file(file, html)


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
    rows = [
        [
            "minutes without a cycle",
            f"{idle.minutes:,} of {idle.looked_at:,}",
            "; ".join(longest) + (f"; and {more:,} shorter" if more else ""),
        ]
    ]
    if idle.ticks_known:
        reason = most_common_reason(idle.skipped)
        while_one_ran = f"{idle.skipped_for_a_cycle:,} while a cycle ran; most often: {reason}" if reason else ""
        rows.append(["skipped ticks", f"{len(idle.skipped):,}", while_one_ran])
        rows.append(["failed ticks", f"{len(idle.failed):,}", most_common_reason(idle.failed)])
    note = "a minute in which a cycle was still running counts as one with a cycle, and its tick as skipped"
    note += "" if idle.ticks_known else "; Dagster has forgotten the ticks of that time"
    return _Table("Minutes without a cycle", ("", "number", "which"), rows, note, prose=True)


def _phases(report: Report) -> _Table:
    columns = ("phase", "mean", "median", "p95", "p99", "slowest", "share")
    rows = [
        [
            _words(row["phase"].removesuffix("_s")),
            *(_seconds(row[f"{name}_s"]) for name in columns[1:-1]),
            _percent(row["share"]),
        ]
        for row in report.facts.phases
    ]
    return _Table("Where the seconds went", columns, rows)


def _endpoints(report: Report) -> _Table:
    columns = ("endpoint", "calls", "errors", "median", "p95", "p99", "bytes", "retries", "hedges")
    rows = [
        [
            row["endpoint"],
            f"{row['calls']:,}",
            _percent(row["error_rate"]),
            *(_seconds(row[f"{name}_s"]) for name in ("median", "p95", "p99")),
            _bytes(row["bytes"]),
            f"{row['retries']:,}",
            f"{row['hedges']:,}",
        ]
        for row in report.facts.endpoints
    ]
    return _Table("The endpoints", columns, rows)


def _changes(report: Report) -> _Table:
    rows = [
        [
            change.measure,
            _seconds(change.before_s),
            _seconds(change.now_s),
            _seconds(change.mean_before_s),
            _seconds(change.mean_now_s),
            seconds(change.difference_s, "+"),
            "" if change.chance is None else f"{change.chance:.2g}",
            change.trend,
        ]
        for change in report.changes
    ]
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
    columns = ["", *(f"{row['moment']}, {kind}" for row in moments for kind in ("mean", "most"))]
    rows = [
        [label, *(say(row[f"{name}_{kind}"]) for row in moments for kind in ("mean", "most"))]
        for label, name, say in kinds
    ]
    return _Table("The machine at the start and the end of a cycle", columns, rows if moments else [])


def _sla_word(verdicts: Sequence[Verdict]) -> Any:
    from markupsafe import Markup

    failed = sum(not verdict.passed for verdict in verdicts)
    kind, word = ("fail", f"{failed} of {len(verdicts)} missed") if failed else ("pass", "met")
    return Markup('<b class="{}">{}</b>').format(kind, word)


def _seconds(value: float | None) -> str:
    return "" if value is None else seconds(value)


def _percent(share: float | None) -> str:
    return "" if share is None else percent(share)


def _number(value: float | None) -> str:
    return "" if value is None else digits(value)


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
    return name.replace("_", " ")


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

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
