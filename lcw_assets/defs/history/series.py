"""The series of Live Coin Watch: their points, and how many of them one call can bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from lcw_assets.ingest.clock import DAY

# Daily data goes back to 2014 at least (market_apis, 1.6); days are the partitions.
FIRST = datetime(2014, 1, 1, tzinfo=timezone.utc)

# Live Coin Watch restates a point for about a day (market_apis, 1.4). `covered.sql` uses the same time.
FINAL_AFTER = timedelta(hours=25)


@dataclass(frozen=True)
class Series:
    """A table of `history`. `window` is the longest range whose response still has a point every `step`.

    A response has about 101 points at most, and the API chooses its step by the range. All windows tile a day, or days.
    """

    name: str
    endpoint: str
    step: timedelta
    window: timedelta
    values: tuple[str, ...]
    every: str

    @property
    def table(self) -> str:
        return f"history.{self.name}"

    @property
    def per_coin(self) -> bool:
        return self.endpoint == "coins/single/history"

    @property
    def description(self) -> str:
        hours = self.window // timedelta(hours=1)
        window = f"{hours // 24} days" if hours >= 24 else f"{hours} hours"
        what, each = ("The tracked coins", "one coin") if self.per_coin else ("The whole market", "it")
        return (
            f"{what} in the past, a point {self.every}. A call, one credit, brings {window} of {each}; a run asks only "
            "for what was not asked for before. Points that are restated replace the ones before, which "
            "`history.revisions` keeps."
        )

    def request(self, code: str, currency: str, start: datetime, end: datetime) -> dict[str, Any]:
        """The request for the points from `start` to before `end`. `code` is empty for the whole market."""
        span = {"currency": currency, "start": to_ms(start), "end": to_ms(end) - 1}
        return {"code": code, "meta": False, **span} if self.per_coin else span


def to_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


_COIN = ("rate", "volume", "cap", "liquidity")
_OVERVIEW = ("cap", "volume", "liquidity", "btc_dominance")
_GRIDS = {
    "daily": (DAY, 100 * DAY, "a day"),
    "hourly": (timedelta(hours=1), 4 * DAY, "an hour"),
    "5min": (timedelta(minutes=5), timedelta(hours=8), "five minutes"),
}

SERIES: Mapping[str, Series] = {
    series.name: series
    for who, endpoint, values in (
        ("coin", "coins/single/history", _COIN),
        ("overview", "overview/history", _OVERVIEW),
    )
    for grid, (step, window, every) in _GRIDS.items()
    for series in (Series(f"{who}_{grid}", endpoint, step, window, values, every),)
}
