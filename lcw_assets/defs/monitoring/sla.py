"""The SLA: one typed TOML file that says what is fast enough; and whether the measures of a window meet it."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lcw_assets import rounding
from lcw_assets.ingest.measures import Measures
from lcw_assets.settings.user_files import UserFileError, read_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BUILT_IN = Path(__file__).parent / "sla.toml"

Measure = Literal[
    "mean_s", "median_s", "p95_s", "p99_s", "slowest_s", "share_over", "share_within", "complete", "error_rate"
]
CheckName = Literal["cycle_time", "sla_1h", "sla_72h"]
Seconds = Annotated[float, Field(gt=0)]


class SlaError(ValueError):
    """The SLA file is wrong. The text names the file, the place in it, and what is wrong there."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Section):
    """One limit on one measure."""

    measure: Measure
    seconds: Seconds | None = None
    under: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Target:
        if sum(limit is not None for limit in (self.under, self.at_most, self.at_least)) != 1:
            raise ValueError("a target has one of: under, at_most, at_least")
        if (self.seconds is not None) != self.measure.startswith("share_"):
            raise ValueError("`seconds` goes with share_over and share_within, and with nothing else")
        return self

    @property
    def name(self) -> str:
        """Such as `p99`, `mean`, `share over 60 s`."""
        words = self.measure.removesuffix("_s").replace("_", " ")
        return words if self.seconds is None else f"{words} {self.seconds:g} s"

    @property
    def limit(self) -> str:
        """Such as `under 45 s`, `at least 95 %`."""
        word, _, bound = self._bound()
        return f"{word} {bound:g} s" if self.measure.endswith("_s") else f"{word} {100 * bound:g} %"

    def show(self, value: float | None) -> str:
        """A measured value, with its unit."""
        if value is None:
            return "none"
        return rounding.seconds(value) if self.measure.endswith("_s") else rounding.percent(value)

    def meets(self, value: float) -> bool:
        _, compare, bound = self._bound()
        return compare(value, bound)

    def _bound(self) -> tuple[str, Callable[[float, float], bool], float]:
        bounds = (
            ("under", operator.lt, self.under),
            ("at most", operator.le, self.at_most),
            ("at least", operator.ge, self.at_least),
        )
        return next((word, compare, bound) for word, compare, bound in bounds if bound is not None)


class Bands(_Section):
    """Limits between fast, normal, slow and very slow, each of them within the faster band."""

    fast_s: Seconds
    normal_s: Seconds
    slow_s: Seconds

    @model_validator(mode="after")
    def _ascending(self) -> Bands:
        if not self.fast_s < self.normal_s < self.slow_s:
            raise ValueError("fast_s, normal_s and slow_s must grow")
        return self


class Checks(_Section):
    cycle_warn_s: Seconds
    cycle_error_s: Seconds
    blocking: tuple[CheckName, ...]
    sla_1h: tuple[Target, ...]
    sla_72h: tuple[Target, ...]

    @model_validator(mode="after")
    def _ascending(self) -> Checks:
        if not self.cycle_warn_s < self.cycle_error_s:
            raise ValueError("cycle_warn_s must be below cycle_error_s")
        return self


class Watch(_Section):
    silent_after_s: Seconds
    spooled_cycles: Annotated[int, Field(ge=1)]


class AlertPace(_Section):
    repeat_s: Seconds
    repeat_at_most_s: Seconds
    over_after_s: Seconds


class Sla(_Section):
    """Everything in the file."""

    bands: Bands
    sets: dict[str, tuple[Target, ...]]
    checks: Checks
    watch: Watch
    alerts: AlertPace

    def seconds(self) -> list[float]:
        """Every limit that a share is counted at."""
        targets = [target for each in (*self.sets.values(), self.checks.sla_1h, self.checks.sla_72h) for target in each]
        bands = (self.bands.fast_s, self.bands.normal_s, self.bands.slow_s)
        return sorted({*bands, *(target.seconds for target in targets if target.seconds is not None)})


def load_sla(file: Path | None = None) -> Sla:
    """The SLA from `file`, or the one that comes with the project. Raises `SlaError`."""
    path = file or BUILT_IN
    try:
        return Sla.model_validate(tomllib.loads(read_text(path)))
    except UserFileError as error:
        raise SlaError(f"the SLA file {error}") from None
    except tomllib.TOMLDecodeError as error:
        # Only the place: the rest of the error may quote the file, and it may be the wrong file.
        place = re.search(r"at line \d+, column \d+", str(error))
        raise SlaError(f"the SLA file {path} is not TOML {place[0] if place else 'at its end'}") from None
    except ValidationError as error:
        wrong = "; ".join(_problem(problem["loc"], str(problem["msg"])) for problem in error.errors())
        raise SlaError(f"the SLA file {path}: {wrong}") from None


def _problem(place: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    return f"{where}: {message.removeprefix('Value error, ')}"


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
    """A target and what was measured. Without cycles `passed` is true and `value` is null."""

    target: Target
    value: float | None

    @property
    def passed(self) -> bool:
        return self.value is None or self.target.meets(self.value)

    def __str__(self) -> str:
        """Such as `p99 78.7 s, target under 45 s`."""
        return f"{self.target.name} {self.target.show(self.value)}, target {self.target.limit}"


def judge(targets: Sequence[Target], measures: Measures) -> Iterator[Verdict]:
    for target in targets:
        yield Verdict(target, value_of(target, measures))
