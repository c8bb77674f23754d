"""Weights by volume that no single source can dominate, and the median that they give."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose, isfinite
from statistics import median


def capped(volumes: Sequence[float | None], cap: float) -> list[float]:
    """A weight for each volume, none over `cap` (a share) of their sum, which is 1.

    A volume that is unknown, or no number, weighs as the median of those that are known; if all are unknown or zero,
    each weighs the same. What is over the cap is cut to t, with t = cap x (k x t + rest), k being how many are cut and
    rest what the others weigh. Fewer sources than 1 / cap cannot all be below it: then each weighs the same.
    """
    known = [volume for volume in volumes if volume is not None and isfinite(volume) and volume >= 0]
    usual = median(known) if known else 0.0
    weights = [usual if volume is None or not isfinite(volume) or volume < 0 else volume for volume in volumes]
    if sum(weights) <= 0 or len(weights) * cap <= 1 or sum(weight > 0 for weight in weights) * cap <= 1:
        return [1 / len(weights)] * len(weights)
    ordered = sorted(weights, reverse=True)
    limit = ordered[0]
    for cut, largest in enumerate(ordered):
        # Added up anew: a difference of a huge sum and its largest part has no digit of the small ones left.
        limit = cap * sum(ordered[cut:]) / (1 - cut * cap)
        if largest <= limit:
            break
    cut_off = [min(weight, limit) for weight in weights]
    total = sum(cut_off)
    return [weight / total for weight in cut_off]


def weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    """The value at which half of the weight is reached; between two of them where that is exactly half."""
    half = sum(weights) / 2
    ordered = sorted(zip(values, weights, strict=True))
    reached = 0.0
    for index, (value, weight) in enumerate(ordered):
        reached += weight
        if isclose(reached, half, rel_tol=1e-12) and index + 1 < len(ordered):
            return value + (ordered[index + 1][0] - value) / 2
        if reached > half:
            return value
    return ordered[-1][0]
