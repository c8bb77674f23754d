"""Numbers that look random and are a pure function of what they are asked for."""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import blake2b

_SCALE = 2.0**-64


@lru_cache(maxsize=200_000)
def uniform(*key: int | str) -> float:
    """A number in [0, 1), always the same one for the same key, in every process and on every machine."""
    digest = blake2b("\x1f".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") * _SCALE


def smooth(time: float, period: float, *key: int | str) -> float:
    """Value noise in [-1, 1]: a random height at each multiple of `period`, cosine-interpolated between them."""
    step, phase = divmod(time / period, 1.0)
    low, high = uniform(*key, int(step)), uniform(*key, int(step) + 1)
    blend = (1.0 - math.cos(math.pi * phase)) / 2.0
    return 2.0 * (low + (high - low) * blend) - 1.0


def walk(time: float, octaves: tuple[tuple[float, float], ...], *key: int | str) -> float:
    """A sum of `smooth` noises, each `(period, height)`: it wanders, and never beyond the sum of the heights."""
    return sum(height * smooth(time, period, *key, number) for number, (period, height) in enumerate(octaves))
