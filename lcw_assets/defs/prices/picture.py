"""The sources' deviations from the consensus over the last hours, as a picture: a strip a source, on one scale.

SVG by hand, because a minute's run must not import matplotlib. The page behind it may be dark or light: nothing is
painted there, and each colour has contrast with both.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape as markup
from itertools import groupby
from statistics import median
from typing import Any

from lcw_assets import escape

# What is shown: so long until now, in so many bins.
SPAN = timedelta(hours=6)
BINS = 60

_LEFT, _RIGHT, _TOP, _STRIP, _GAP, _BOTTOM = 118, 88, 30, 36, 8, 24
_BIN = 9  # pixels; all lengths are pixels of the picture's own size
_WIDTH = _LEFT + BINS * _BIN + _RIGHT
_TEXT, _LINE, _BAND, _BEYOND, _OUT = "#747b85", "#8b949e", "#3b82f6", "#b7791f", "#e5484d"
_LONGEST_NAME = 16

# In basis points: how much a strip shows above and below its zero line.
_SCALES: tuple[int, ...] = tuple(digit * 10**power for power in range(4) for digit in (1, 2, 3, 5))
_BASIS_POINT = 1e-4

# In basis points: nearer than this nobody is rejected, so that only what is further away is red.
_REJECTED = 20

_Bins = dict[int, tuple[float, float, float]]


def window(now: datetime, sources: Sequence[str]) -> dict[str, Any]:
    """The parameters of `sql/deviations.sql`."""
    return {"start": now - SPAN, "end": now, "bin_us": SPAN // BINS // timedelta(microseconds=1), "sources": [*sources]}


def deviation_picture(rows: Iterable[Mapping[str, Any]], now: datetime, sources: Sequence[str] = ()) -> str:
    """An SVG. A row is a `source`, the `moment` when a bin begins, and its `lowest`, `median` and `highest` deviation,
    as fractions, null where there was none.

    `sources` come first, also those without a row; the others follow by name. A bin without a row is a gap. So that
    one that is far off does not flatten the others, the scale is that of the middle source: what is beyond it is a
    red bar at the edge.
    """
    found: dict[str, _Bins] = {source: {} for source in sources}
    for row in sorted(rows, key=lambda row: str(row["source"])):
        bins = found.setdefault(row["source"], {})
        place = (row["moment"] - (now - SPAN)) // (SPAN // BINS)
        values = [row[name] for name in ("lowest", "median", "highest")]
        if 0 <= place < BINS and all(value is not None and math.isfinite(value) for value in values):
            low, middle, high = (value / _BASIS_POINT for value in values)
            bins[place] = (low, middle, high)
    scale = _scale(found)
    height = _TOP + len(found) * (_STRIP + _GAP) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="system-ui,sans-serif" font-size="12" fill="{_TEXT}">'
        "<title>Deviation of each source from the consensus</title>",
        *_legend(scale),
        *_clock(now, height),
    ]
    for place, (source, bins) in enumerate(found.items()):
        parts += _strip(source, bins, scale, _TOP + place * (_STRIP + _GAP))
    if not found:
        parts.append(_text(_LEFT, _TOP + 14, "no source had a price in this time"))
    return "".join([*parts, "</svg>"])


def as_markdown(svg: str) -> str:
    """For the metadata of a materialization: Dagster shows an image in Markdown from its data."""
    data = base64.b64encode(svg.encode()).decode()
    return f"![deviation of each source from the consensus](data:image/svg+xml;base64,{data})"


def _scale(found: Mapping[str, _Bins]) -> int:
    """Half of the sources never go beyond it."""
    furthest: list[float] = [
        max(max(abs(low), abs(high)) for low, _, high in bins.values()) for bins in found.values() if bins
    ]
    wanted = median(furthest) if furthest else 0.0
    return next((scale for scale in _SCALES if scale >= wanted), _SCALES[-1])


def _legend(scale: int) -> list[str]:
    names = (
        (_LEFT, f'<path d="M0 6h22" stroke="{_BAND}" stroke-width="2"/>', "median"),
        (_LEFT + 84, f'<path d="M0 0h22v12h-22z" fill="{_BAND}" fill-opacity=".35"/>', "lowest to highest"),
        (_LEFT + 226, f'<path d="M0 1h22v3h-22z" fill="{_BEYOND}"/>', f"beyond {scale:,} bp"),
    )
    drawn = [
        f'<g transform="translate({x} 4)">{shape}<text x="28" y="10">{name}</text></g>' for x, shape, name in names
    ]
    return [*drawn, _text(_WIDTH, 14, "1 bp = 0.01 %; last median:", "end")]


def _clock(now: datetime, height: int) -> list[str]:
    """Full hours, through all strips."""
    hour = (now - SPAN).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    bottom, parts = height - _BOTTOM, []
    while hour <= now:
        x = _x((hour - (now - SPAN)) / (SPAN / BINS))
        parts.append(f'<path d="M{x} {_TOP}V{bottom}" stroke="{_LINE}" stroke-opacity=".3"/>')
        parts.append(_text(x, height - 8, f"{hour:%H:%M}", "middle"))
        hour += timedelta(hours=1)
    zone = now.tzname() or ""
    return [*parts, _text(_LEFT - 10, height - 8, zone, "end")]


def _strip(source: str, bins: _Bins, scale: int, top: int) -> list[str]:
    right, zero = _LEFT + BINS * _BIN, top + _STRIP / 2
    parts = [
        f'<path d="M{_LEFT} {top}h{BINS * _BIN}v{_STRIP}H{_LEFT}z" fill="{_LINE}" fill-opacity=".1"/>'
        f'<path d="M{_LEFT} {zero:g}H{right}" stroke="{_LINE}" stroke-opacity=".7"/>',
        _text(_LEFT - 10, top + 16, markup(escape.line(source, _LONGEST_NAME)), "end"),
        f'<text x="{_LEFT - 10}" y="{top + 30}" text-anchor="end" font-size="10">±{scale:,} bp</text>',
    ]
    for run in _runs(bins):
        parts.append(_band(run, bins, scale, zero))
    edges = [
        f"M{_x(place)} {edge}h{_BIN}v3h-{_BIN}z"
        for place, (low, _, high) in sorted(bins.items())
        for edge, beyond in ((top, high > scale), (top + _STRIP - 3, low < -scale))
        if beyond
    ]
    if edges:
        parts.append(f'<path d="{"".join(edges)}" fill="{_BEYOND}"/>')
    last = bins.get(BINS - 1)
    said = "out" if last is None else f"{last[1] + 0.0:+,.1f} bp" if abs(last[1]) < 1e5 else f"{last[1]:+.0e} bp"
    paint = f' fill="{_OUT}"' if last is None or abs(last[1]) > _REJECTED else ""
    return [*parts, f'<text x="{_WIDTH}" y="{zero + 4:g}" text-anchor="end"{paint}>{said}</text>']


def _runs(bins: _Bins) -> list[list[int]]:
    """Bins that follow each other without a gap."""
    places = sorted(bins)
    return [[place for _, place in run] for _, run in groupby(enumerate(places), lambda one: one[1] - one[0])]


def _band(run: list[int], bins: _Bins, scale: int, zero: float) -> str:
    """Steps: the upper edge from left to right, and the lower one back."""

    def y(value: float) -> str:
        return f"{zero - min(max(value / scale, -1), 1) * (_STRIP / 2 - 1):.1f}"

    start = f"M{_x(run[0])} "
    upper = "".join(f"V{y(bins[place][2])}h{_BIN}" for place in run)
    lower = "".join(f"V{y(bins[place][0])}h-{_BIN}" for place in reversed(run))
    middle = "V".join(f"{y(bins[place][1])}h{_BIN}" for place in run)
    return (
        f'<path d="{start}{zero:g}{upper}{lower}z" fill="{_BAND}" fill-opacity=".35"/>'
        f'<path d="{start}{middle}" fill="none" stroke="{_BAND}" stroke-width="1.5"/>'
    )


def _x(place: float) -> str:
    return f"{_LEFT + place * _BIN:.4g}"


def _text(x: float | str, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
