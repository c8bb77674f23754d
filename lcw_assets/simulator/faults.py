"""Faults and their rates: a profile decides for each request, always the same for the same seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lcw_assets.simulator.noise import uniform
from lcw_assets.simulator.september import september

# Faults of any provider. A provider's own kinds are in its module.
GENERAL = frozenset(
    {
        "none",
        "error",  # the provider's own error, for `status`; 429 with or without Retry-After
        "html",  # a proxy's page, under `status`
        "truncated",  # a body that stops in the middle, under 200
        "cut",  # the connection ends before the announced length
        "reset",  # the connection is reset before any response
        "drip",  # a byte a second
    }
)


@dataclass(frozen=True)
class Fault:
    """The fault of one request. `delay_s` comes first, for every kind.

    `kind` is general, or a provider's own: for other providers that is `none`.
    """

    kind: str = "none"
    delay_s: float = 0.0
    status: int = 200
    retry_after: str | None = None


@dataclass(frozen=True)
class Draw:
    """One request, as a profile sees it. `number` counts all requests, `turn` those of the same content.

    `endpoint` is the path, as the provider knows it; `content` is the body or, where there is none, the URL's query.
    """

    seed: int
    endpoint: str
    content: str
    number: int
    turn: int
    provider: str = ""

    def chance(self, what: str) -> float:
        """In [0, 1). By content and turn, so that which thread came first does not matter."""
        return uniform(self.seed, what, self.endpoint, self.content, self.turn)


Profile = Callable[[Draw], Fault]


def none(_: Draw) -> Fault:
    return Fault()


def slow(draw: Draw) -> Fault:
    """Log-normal, as measured latencies are: median 1.2 s, one in a hundred over 10 s."""
    low, high = max(draw.chance("slow a"), 1e-12), draw.chance("slow b")
    normal = math.sqrt(-2 * math.log(low)) * math.cos(math.tau * high)  # Box-Muller
    return Fault(delay_s=1.2 * math.exp(0.9 * normal))


def flaky(draw: Draw) -> Fault:
    """One call in five has a fault, and one in a dozen groups of ten has a burst of 429."""
    if uniform(draw.seed, "burst", draw.number // 10) < 1 / 12:
        return Fault("error", status=429, retry_after="1" if draw.number % 2 else None)
    delay = 0.3 * draw.chance("delay") ** 4
    faults: tuple[tuple[float, Fault], ...] = (
        (0.04, Fault("error", delay, 500)),
        (0.04, Fault("error", delay, 503, retry_after="1")),
        (0.03, Fault("html", delay, 522)),
        (0.01, Fault("html", delay, 200)),
        (0.02, Fault("truncated", delay)),
        (0.01, Fault("cut", delay)),
        (0.02, Fault("reset", delay)),
        (0.005, Fault("drip", delay)),
        (0.015, Fault("wrong_shape", delay)),
        (0.02, Fault("repeated", delay)),
    )
    dice = draw.chance("fault")
    for share, fault in faults:
        dice -= share
        if dice < 0:
            return fault
    return Fault(delay_s=delay)


def down(draw: Draw) -> Fault:
    """Nothing works: maintenance pages, error objects, resets."""
    dice = draw.chance("down")
    return Fault("html", status=521) if dice < 0.4 else Fault("error", status=503) if dice < 0.7 else Fault("reset")


def september_2025(draw: Draw) -> Fault:
    """The faults and latencies of September 2025: see `september.py`."""
    met = september(draw.chance("kind"), draw.chance("speed"), draw.chance("size"))
    return Fault("error" if met.status != 200 else "none", met.seconds, met.status)


# A profile is any function from Draw to Fault: add yours here or to your provider, or pass it to Simulator.
PROFILES: Mapping[str, Profile] = {
    "none": none,
    "slow": slow,
    "flaky": flaky,
    "down": down,
    "september": september_2025,
}
