"""Numbers for people: three significant digits everywhere."""

from __future__ import annotations

import math

# Of less than a microsecond nobody needs digits.
_MOST_DECIMALS = 6


def rounded(value: float) -> float:
    """`value` to three significant digits, for metadata. An `int` is a count, and stays."""
    if isinstance(value, int) or not math.isfinite(value):
        return value
    return float(f"{value:.3g}")


def digits(value: float, sign: str = "-") -> str:
    """Such as `0.0123`, `1.20`, `45.0`, `1,230`; with `sign="+"` also `+1.20`. Counts are written in full: `12,345`."""
    if isinstance(value, int):
        return f"{value:{sign},}"
    if not math.isfinite(value) or value == 0:
        return f"{value:{sign}.3g}"
    short = rounded(value)
    decimals = 2 - math.floor(math.log10(abs(short)))
    return f"{short:{sign},.{min(max(decimals, 0), _MOST_DECIMALS)}f}"


def seconds(value: float, sign: str = "-") -> str:
    """Such as `1.20 s`."""
    return f"{digits(value, sign)} s"


def percent(share: float, sign: str = "-") -> str:
    """Of a fraction: `0.125` is `12.5 %`."""
    return f"{digits(100 * float(share), sign)} %"
