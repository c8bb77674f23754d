"""Latencies of an older fetcher, which this project has to beat: 4,235 cycles in 72 hours of September 2025.

Known are its cycles (mean 19.88 s, median 16.84, p95 34.2, p99 78.67; 76.3 % within 20 s, 16.6 % up to
30, 5.2 % up to 60, 1.8 % over) and its method: 14 calls one after another, one a second at most, 10 s to connect and
30 s to read, three repeats after 2, 4 and 8 s, a pause of 60 s after a 429. The parameters below are those with which
that method, in virtual time, gives those numbers: a random search, by the largest relative error of the eight, ended
at 3.8 % over 40,000 cycles. `lcw_assets_tests/simulator/test_september.py` tests the fit, to a tenth.

Each call is drawn by itself. The real one had bad minutes; cycle statistics do not show those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

# Shares of calls.
RATE_LIMITED = 0.00113  # 429, without Retry-After: the 60 s pauses are what makes p99
SILENT = 0.00065  # no response ever
REFUSED = 0.00161  # 503
SLOW = 0.0180

# Log-normal latencies: median in seconds, and sigma of the logarithm.
USUAL_S, USUAL_SIGMA = 0.965, 0.460
SLOW_S, SLOW_SIGMA = 6.39, 0.795

# Longer than any client waits.
_NEVER_S = 120.0


@dataclass(frozen=True)
class Met:
    """The result of a call: an HTTP status, after so many seconds."""

    status: int
    seconds: float


def september(kind: float, speed: float, size: float) -> Met:
    """From three uniform numbers in [0, 1): what happens, whether it is a slow one, how long it takes."""
    median, sigma = (SLOW_S, SLOW_SIGMA) if speed < SLOW else (USUAL_S, USUAL_SIGMA)
    seconds = median * math.exp(sigma * _normal(size))
    if kind < RATE_LIMITED:
        return Met(429, 0.3)
    if kind < RATE_LIMITED + SILENT:
        return Met(200, _NEVER_S)
    return Met(503 if kind < RATE_LIMITED + SILENT + REFUSED else 200, seconds)


def _normal(share: float) -> float:
    """The standard normal quantile of a share in [0, 1)."""
    return NormalDist().inv_cdf(min(max(share, 1e-12), 1 - 1e-12))
