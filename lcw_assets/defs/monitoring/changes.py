"""What got slower since the window before, by how much, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from statistics import fmean, median
from typing import TYPE_CHECKING, Literal

from scipy.stats import mannwhitneyu

from lcw_assets.defs.monitoring import SQL
from lcw_assets.ingest.measures import Window

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# More would show no more of a shift that matters, and take longer: the test ranks all of them.
_SAMPLE = 4_000
# With fewer, the test can find nothing: four cycles against four are never significant at this level.
_FEWEST = 8
# Twelve comparisons a report: at 1 in 1,000, one report in eighty has a false alarm.
_CHANCE = 0.001

Trend = Literal["slower", "faster", "no more than noise", "too few to tell"]


@dataclass(frozen=True)
class Change:
    """One measure in this window and the one before: median and mean seconds, and how sure the difference is.

    `chance` is the p-value of a two-sided Mann-Whitney U test: how likely so large a difference of ranks would be if
    nothing had changed. `grew` is its direction, which the medians need not show. It assumes independent values,
    which those of neighbouring minutes are not quite.
    """

    measure: str
    before_s: float
    now_s: float
    mean_before_s: float
    mean_now_s: float
    chance: float | None
    grew: bool

    @property
    def difference_s(self) -> float:
        """Of the means: the medians hide what happens to less than half."""
        return self.mean_now_s - self.mean_before_s

    @property
    def trend(self) -> Trend:
        if self.chance is None:
            return "too few to tell"
        if self.chance >= _CHANCE:
            return "no more than noise"
        return "slower" if self.grew else "faster"


Samples = Mapping[str, Sequence[float]]


def read_samples(db: DuckDBPyConnection, window: Window) -> dict[str, list[float]]:
    """Seconds by measure: `cycle`, each phase, each endpoint."""
    parameters = {**window.parameters(), "most": _SAMPLE}
    [row] = SQL.rows(db, "cycle_sample", parameters)
    cycles = {name.removesuffix("_s").replace("_", " "): values or [] for name, values in row.items()}
    samples = cycles | dict(db.execute(SQL.text("call_sample"), parameters).fetchall())
    return {measure: [value for value in values if value is not None] for measure, values in samples.items()}


def compare(before: Samples, now: Samples) -> list[Change]:
    """What can be compared, in the order of `now`. A measure that one of the windows lacks is left out."""
    changes = []
    for measure, values in now.items():
        earlier = before.get(measure, ())
        if not values or not earlier:
            continue
        chance, grew = None, False
        if min(len(values), len(earlier)) >= _FEWEST:
            # The asymptotic form: the exact one takes minutes for thousands, and cannot do ties.
            found = mannwhitneyu(values, earlier, method="asymptotic")
            # scipy 1.18 has no p-value where all are alike; up to 1.17 it was 1.
            chance = 1.0 if isnan(found.pvalue) else float(found.pvalue)
            grew = bool(found.statistic > len(values) * len(earlier) / 2)
        changes.append(Change(measure, median(earlier), median(values), fmean(earlier), fmean(values), chance, grew))
    return changes
