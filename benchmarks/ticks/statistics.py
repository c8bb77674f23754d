"""Means and quantiles with their uncertainty. Cycles are taken for independent of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, bootstrap

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval. `confidence` is that of the interval: with few cycles a high quantile has less."""

    value: float
    low: float
    high: float
    confidence: float


def mean(values: Sequence[float]) -> Estimate:
    """With a bootstrap interval: these times are far from normal."""
    found = bootstrap(
        (np.asarray(values),), np.mean, confidence_level=CONFIDENCE, n_resamples=9999, rng=np.random.default_rng(1)
    ).confidence_interval
    return Estimate(float(np.mean(values)), float(found.low), float(found.high), CONFIDENCE)


def quantile(values: Sequence[float], share: float) -> Estimate:
    """With the interval between two of the values, which needs no assumption about how they are distributed.

    How many of n values are below the true quantile is binomial: so which ranks it lies between, at what confidence,
    is known. Where the upper rank is beyond the largest value, that value is the bound, and the confidence is less.
    """
    ordered, count = np.sort(values), len(values)
    tail = (1 - CONFIDENCE) / 2
    low = max(1, int(binom.ppf(tail, count, share)))
    high = min(count, int(binom.ppf(1 - tail, count, share)) + 1)
    confidence = float(binom.cdf(high - 1, count, share) - binom.cdf(low - 1, count, share))
    return Estimate(float(np.quantile(ordered, share)), float(ordered[low - 1]), float(ordered[high - 1]), confidence)
