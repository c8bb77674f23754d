"""Numbers that look random and are a pure function of their key."""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import blake2b

_SCALE = 2.0**-64


@lru_cache(maxsize=200_000)
def uniform(*key: int | str) -> float:
    """A number in [0, 1), always the same one for the same key, in every process and on every machine."""
    return _hashed("\x1f".join(map(str, key)))


def smooth(time: float, period: float, *key: int | str) -> float:
    """Value noise in [-1, 1]: a random height at each multiple of `period`, cosine-interpolated between them."""
    step, phase = divmod(time / period, 1.0)
    low, high = _heights(int(step), *key)
    return 2.0 * (low + (high - low) * (1.0 - math.cos(math.pi * phase)) / 2.0) - 1.0


def walk(time: float, octaves: tuple[tuple[float, float], ...], *key: int | str) -> float:
    """A sum of `smooth` noises, each `(period, height)`: it wanders, and never beyond the sum of the heights."""
    total = 0.0
    for number, (period, height) in enumerate(octaves):
        total += height * smooth(time, period, *key, number)
    return total


@lru_cache(maxsize=200_000)
def _heights(step: int, *key: int | str) -> tuple[float, float]:
    """At both ends of a step. Computing both at once saves time, because this is the hottest function."""
    text = "\x1f".join(map(str, key))
    return _hashed(f"{text}\x1f{step}"), _hashed(f"{text}\x1f{step + 1}")


def _hashed(text: str) -> float:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") * _SCALE
