"""Is a window of cycles fast enough? Its measures, held against the targets of the SLA."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lcw_assets.defs.monitoring.sla import Sla, Target
from lcw_assets.ingest.measures import Measures


def shares(measures: Measures, sla: Sla) -> dict[str, float | None]:
    """The share of each band; they add up to 1."""
    limits = [sla.bands.fast_s, sla.bands.normal_s, sla.bands.slow_s]
    counts = [0, *(measures.within[limit] for limit in limits), measures.timed]
    names = ("fast", "normal", "slow", "very_slow")
    sizes = [upper - lower for lower, upper in pairwise(counts)]
    return {name: size / measures.timed if measures.timed else None for name, size in zip(names, sizes, strict=True)}


def value_of(target: Target, measures: Measures) -> float | None:
    """What `target` limits; null if there is nothing to measure yet."""
    if target.measure == "complete":
        return measures.complete / measures.cycles if measures.cycles else None
    if target.seconds is not None:
        within = measures.within[target.seconds]
        wanted = within if target.measure == "share_within" else measures.timed - within
        return wanted / measures.timed if measures.timed else None
    value: float | None = getattr(measures, target.measure)
    return value


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured. Without cycles nothing is broken: `passed` is true and `value` is null."""

    target: Target
    value: float | None

    @property
    def passed(self) -> bool:
        return self.value is None or self.target.meets(self.value)

    def __str__(self) -> str:
        """Such as `p99 78.7 s, target under 45 s`."""
        return f"{self.target.name} {self.target.say(self.value)}, target {self.target.limit}"


def judge(targets: Sequence[Target], measures: Measures) -> Iterator[Verdict]:
    for target in targets:
        yield Verdict(target, value_of(target, measures))
