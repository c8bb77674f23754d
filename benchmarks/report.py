"""How figures are printed: median, least and most of each, and the ratio of medians to the first row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median


def table(title: str, rows: Mapping[str, Sequence[float]], *, unit: str = "s", budget: str = "") -> str:
    """One row a name; the first is what the others are held against. `budget` is repeated below."""
    first = median(next(iter(rows.values())))
    width = max(map(len, rows))
    lines = [title, f"  {'':{width}}  {'median':>9} {'least':>9} {'most':>9}  {'ratio':>6}   ({unit})"]
    for name, values in rows.items():
        middle = median(values)
        lines.append(
            f"  {name:{width}}  {middle:9.3f} {min(values):9.3f} {max(values):9.3f}  {middle / first:6.2f}"
            f"   of {len(values)}"
        )
    return "\n".join([*lines, *([f"  budget: {budget}"] if budget else []), ""])
