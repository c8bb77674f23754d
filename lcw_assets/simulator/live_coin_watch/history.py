"""Points of history: about a hundred a response, so that the step follows from the range; restated as they age."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lcw_assets.simulator.live_coin_watch.aggregate import Aggregate
from lcw_assets.simulator.live_coin_watch.coins import liquidity, point
from lcw_assets.simulator.market import DAY, Listing, Market
from lcw_assets.simulator.noise import uniform

_MINUTE_MS = 60_000
_MOST_POINTS = 101
_STEPS = (5, 60, DAY, 7 * DAY, 30 * DAY)  # minutes


def grid(start_ms: int, end_ms: int) -> Iterator[int]:
    """The minutes that a response has points for: `start` rounded up to the step, `end` inclusive."""
    minutes = (end_ms - start_ms) / _MINUTE_MS
    step = next((step for step in _STEPS if minutes / step < _MOST_POINTS), _STEPS[-1])
    first = -(-start_ms // (step * _MINUTE_MS)) * step
    return iter(range(first, end_ms // _MINUTE_MS + 1, step))


def coin_points(
    shown: Aggregate, coin: Listing, start_ms: int, end_ms: int, now: int, units: float
) -> list[dict[str, Any]]:
    """Nothing before the coin was listed, nothing after `now`, and a day missing here and there."""
    points = []
    for minute in grid(start_ms, end_ms):
        if coin.listed_at <= minute <= now and uniform(shown.seed, "no day", coin.slot, minute // DAY) > 0.01:
            values = point(shown, coin, minute, units)
            values["liquidity"] = liquidity(shown, coin, minute, units)
            points.append({"date": minute * _MINUTE_MS, **_restated(shown.seed, values, minute, now, coin.slot)})
    return points


def overview(market: Market, minute: int, units: float) -> dict[str, Any]:
    """The whole market. `btcDominance` is a fraction."""
    cap = market.total_cap(minute)
    return {
        "cap": round(cap * units),
        "volume": round(0.04 * cap * units * (0.9 + 0.2 * uniform(market.seed, "overview volume", minute))),
        "liquidity": round(0.0025 * cap * units * (0.9 + 0.2 * uniform(market.seed, "overview liquidity", minute))),
        "btcDominance": market.cap(0, minute) / cap,
    }


def overview_points(market: Market, start_ms: int, end_ms: int, now: int, units: float) -> list[dict[str, Any]]:
    return [
        {"date": minute * _MINUTE_MS, **_restated(market.seed, overview(market, minute, units), minute, now, -1)}
        for minute in grid(start_ms, end_ms)
        if minute <= now
    ]


def _restated(seed: int, values: dict[str, Any], minute: int, now: int, key: int) -> dict[str, Any]:
    """LCW revises values by some tenths of a percent: here once an hour later, and once a day later."""
    version = (now - minute >= 60) + (now - minute >= DAY)
    factor = 1 + 0.003 * (uniform(seed, "restated", key, minute, version) - 0.5) if version else 1.0
    return {
        name: round(value * factor) if isinstance(value, int) else value * factor if value is not None else None
        for name, value in values.items()
    }
