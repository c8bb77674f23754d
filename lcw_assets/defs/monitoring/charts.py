"""The report's two charts, as SVG that takes its colours from the page around it.

Drawn once for light and dark: matplotlib paints in placeholder colours, and each becomes a CSS variable, or a colour
for pages that have no style of their own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lcw_assets.defs.monitoring.report import Facts
from lcw_assets.defs.monitoring.sla import Bands

# What is painted, its placeholder colour, and its colour on a light page.
_PAINTS = {
    "ink": ("#010101", "#1f2328"),
    "muted": ("#020202", "#6e7781"),
    "line": ("#030303", "#d0d7de"),
    "fast": ("#040404", "#1a7f64"),
    "normal": ("#050505", "#2f6fd0"),
    "slow": ("#060606", "#c4730a"),
    "very-slow": ("#070707", "#cf222e"),
}
_PAINT = {name: placeholder for name, (placeholder, _) in _PAINTS.items()}

_SERIES = ("fastest", "slowest", "median")
_SIZE = (6.4, 3.0)  # inches of 72 points; the text is 9 points high, so it can be read at the width of a phone
_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


def on_page(svg: str) -> str:
    """In the colours of the page: `var(--ink)` and so on."""
    return _painted(svg, {placeholder: f"var(--{name})" for name, (placeholder, _) in _PAINTS.items()})


def on_white(svg: str) -> str:
    """In colours of its own, on white."""
    svg = _painted(svg, dict(_PAINTS.values()))
    return re.sub(r"(<svg [^>]*>)", r'\1<rect width="100%" height="100%" fill="#ffffff"/>', svg, count=1)


def time_chart(facts: Facts, bands: Bands) -> str:
    """Cycle time over time: the median and the span of each stretch, the limits of the bands, the slow ones marked."""
    figure, axes = _figure()
    moments = [row["moment"] for row in facts.series]
    axes.set_yscale("log")
    if moments:
        fastest, slowest, median = ([row[f"{name}_s"] for row in facts.series] for name in _SERIES)
        axes.fill_between(moments, fastest, slowest, color=_PAINT["fast"], alpha=0.25, linewidth=0, step="mid")
        marker = "." if len(moments) < 60 else None
        axes.plot(moments, median, color=_PAINT["fast"], linewidth=1.2, marker=marker)
    for paint, over_s, most_s in (("slow", bands.normal_s, bands.slow_s), ("very-slow", bands.slow_s, float("inf"))):
        slow: dict[Any, float] = {at: took_s for at, took_s in facts.marked if over_s < took_s <= most_s}
        axes.plot(list(slow), list(slow.values()), "o", color=_PAINT[paint], markersize=3.5)
    times = [time for row in facts.series for time in (row["fastest_s"], row["slowest_s"])]
    _seconds_axis(axes, "y", [*times, bands.slow_s])
    _limits(axes.axhline, bands)
    axes.set_xlim(facts.shown.start, facts.shown.end)  # type: ignore[arg-type]
    _time_axis(axes, facts.shown.length)
    return _svg(figure)


def distribution_chart(facts: Facts, bands: Bands) -> str:
    """How many cycles took how long."""
    figure, axes = _figure()
    axes.set_xscale("log")
    axes.bar(
        [row["from_s"] for row in facts.histogram],
        [row["cycles"] for row in facts.histogram],
        width=[(row["to_s"] - row["from_s"]) * 0.94 for row in facts.histogram],
        align="edge",
        color=[_PAINT[_band(row["from_s"], bands)] for row in facts.histogram],
    )
    edges = [edge for row in facts.histogram for edge in (row["from_s"], row["to_s"])]
    _seconds_axis(axes, "x", [*edges, bands.slow_s])
    _limits(axes.axvline, bands)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("cycles", color=_PAINT["muted"])
    return _svg(figure)


def _band(seconds: float, bands: Bands) -> str:
    limits = {"fast": bands.fast_s, "normal": bands.normal_s, "slow": bands.slow_s}
    return next((name for name, limit in limits.items() if seconds < limit), "very-slow")


def _limits(draw: Callable[..., object], bands: Bands) -> None:
    """A dashed line where each band ends."""
    for paint, limit in (("normal", bands.fast_s), ("slow", bands.normal_s), ("very-slow", bands.slow_s)):
        draw(limit, color=_PAINT[paint], linewidth=0.9, linestyle=(0, (4, 3)))


def _figure() -> tuple[Figure, Axes]:
    with mpl.rc_context({"font.size": 9, "axes.linewidth": 0.8}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_PAINT["line"])
    axes.tick_params(colors=_PAINT["muted"], which="both", length=0)
    axes.grid(color=_PAINT["line"], linewidth=0.5, alpha=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _seconds_axis(axes: Axes, name: str, values: Sequence[float]) -> None:
    """A logarithmic axis around `values`, with round seconds on it."""
    axis = axes.yaxis if name == "y" else axes.xaxis
    low, high = max(0.1, min(values) * 0.8), max(values) * 1.3
    (axes.set_ylim if name == "y" else axes.set_xlim)(low, high)
    shown = [seconds for seconds in _SECONDS if low <= seconds <= high]
    axis.set_ticks(shown, [f"{seconds:g} s" for seconds in shown])
    axis.set_ticks([], minor=True)


def _time_axis(axes: Axes, length: timedelta) -> None:
    forms = {timedelta(days=7): "%d %b", timedelta(days=1): "%a %H:%M", timedelta(minutes=10): "%H:%M"}
    form = next((form for limit, form in forms.items() if length > limit), "%H:%M:%S")
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=7, tz="UTC"))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter(form, tz="UTC"))  # type: ignore[no-untyped-call]


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # Text stays text: small, sharp, and found by a search. A fixed salt gives the same names each time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lcw"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _painted(svg: str, colours: Mapping[str, str]) -> str:
    svg = re.sub(r"#(0[1-7])\1\1", lambda found: colours[found[0]], svg)
    return re.sub(r"font: ([\d.]+px) '[^;\"]*", r"font: \1 system-ui, sans-serif", svg)
