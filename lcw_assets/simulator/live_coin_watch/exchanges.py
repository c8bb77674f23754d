"""The exchanges of Live Coin Watch."""

from __future__ import annotations

import math
from typing import Any

from lcw_assets.simulator.live_coin_watch.coins import money
from lcw_assets.simulator.noise import smooth, uniform

_LEADERS = ("binance", "coinbase", "bybit", "okx", "kraken", "kucoin", "pancakeswapv2", "gate", "uniswapv3", "gemini")
CODES = (*_LEADERS, *(f"exchange{number}" for number in range(len(_LEADERS), 640)))
_ICONS = "https://lcw.nyc3.cdn.digitaloceanspaces.com/production/exchanges"


def exchange(seed: int, code: str, minute: int, units: float, meta: bool) -> dict[str, Any]:
    """One exchange. `depth` is the sum of bids and asks; decentralised ones have none of the three."""
    place = CODES.index(code)
    decentralised = "swap" in code or (place >= len(_LEADERS) and uniform(seed, "dex", place) < 0.25)
    size = 2e10 / (1 + place) ** 1.4
    volume = money(size * math.exp(0.15 * smooth(minute, 37, seed, "exchange", place)), units)
    bids = size * 0.02 * (1 + 0.1 * smooth(minute, 13, seed, "bids", place)) * units
    asks = size * 0.018 * (1 + 0.1 * smooth(minute, 17, seed, "asks", place)) * units
    visitors = 1 + int(size / 15_000)
    document = {
        "code": code,
        "markets": 20 + int(1_300 / math.sqrt(1 + place)),
        "volume": volume,
        "bidTotal": None if decentralised else bids,
        "askTotal": None if decentralised else asks,
        "depth": 0 if decentralised else bids + asks,
        "visitors": visitors,
        "volumePerVisitor": volume / visitors,
    }
    if meta:
        document |= {
            "name": code.capitalize(),
            **{
                f"{kind}{pixels}": f"{_ICONS}/{pixels}/{code}.{kind}"
                for kind in ("png", "webp")
                for pixels in (64, 128)
            },
            "centralized": not decentralised,
            "usCompliant": uniform(seed, "us", place) < 0.2,
        }
    return document
