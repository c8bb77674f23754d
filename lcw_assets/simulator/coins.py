"""What Live Coin Watch would say of a simulated coin, with the gaps and forms that its recorded answers have."""

from __future__ import annotations

import math
from typing import Any

from lcw_assets.simulator.market import COINS, DAY, Listing, Market
from lcw_assets.simulator.names import name_of
from lcw_assets.simulator.noise import smooth, uniform

DELTAS = {"hour": 60, "day": DAY, "week": 7 * DAY, "month": 30 * DAY, "quarter": 90 * DAY, "year": 365 * DAY}

_LINKS = (
    "website", "whitepaper", "twitter", "reddit", "telegram", "discord", "medium", "instagram", "tiktok", "youtube",
    "linkedin", "twitch", "spotify", "naver", "wechat", "soundcloud",
)  # fmt: skip
_CATEGORIES = ("smart_contract_platforms", "defi", "meme", "gaming", "stablecoins", "layer_2", "dex", "privacy")
_ICONS = "https://lcw.nyc3.cdn.digitaloceanspaces.com/production/currencies"


def money(usd: float, units: float) -> float | int:
    """USD in a currency of which one USD is `units`: LCW gives whole dollars, and floats in all else."""
    return round(usd) if units == 1.0 else usd * units


def quote(market: Market, coin: Listing, minute: int, units: float) -> dict[str, Any]:
    """What moves: rate, volume, cap, delta. One USD is `units` of the asked currency."""
    values = price(market, coin, minute, units)
    if values["rate"] is None:
        return values | {"delta": dict.fromkeys(DELTAS)}
    rate = market.rate(coin, minute)
    deltas = {
        name: round(rate / market.rate(coin, minute - span), 4) if minute - span >= coin.listed_at else None
        for name, span in DELTAS.items()
    }
    return values | {"delta": deltas}


def price(market: Market, coin: Listing, minute: int, units: float) -> dict[str, Any]:
    """Rate, volume and cap: a point of history has these alone."""
    if coin.slot >= COINS - 500:  # long dead: still listed, no longer priced
        return {"rate": None, "volume": 0, "cap": None}
    cap = market.cap(coin.slot, minute)
    turnover = 0.002 * math.exp(3 * uniform(market.seed, "turnover", coin.slot))
    busy = 1 + 0.3 * smooth(market.moved_at(coin.slot, minute), 30, market.seed, "volume", coin.slot)
    # Beyond the top 100 some coins have a price and no cap.
    knows_cap = coin.slot <= 100 or coin.slot % 211 != 77
    return {
        "rate": market.rate(coin, minute) * units,
        "volume": money(cap * turnover * busy, units),
        "cap": money(cap, units) if knows_cap else None,
    }


def liquidity(market: Market, coin: Listing, minute: int, units: float) -> float | int:
    """What lies within 2 % of the price. Only the endpoints for a single coin tell it."""
    return money(0.0006 * market.cap(coin.slot, minute), units)


def profile(market: Market, coin: Listing, minute: int, rank: int) -> dict[str, Any]:
    """What `meta: true` adds."""

    def pick(what: str) -> float:
        return uniform(market.seed, what, coin.slot)

    code, icon = coin.code, coin.code.lower()
    exact = market.supply(coin, minute)
    supply = exact if pick("fractions") < 0.1 else int(exact)
    size = math.sqrt(1 + coin.slot)
    document: dict[str, Any] = {
        "name": name_of(code),
        "rank": rank,
        "age": (minute - coin.listed_at) // DAY,
        "color": f"#{int(0xFFFFFF * pick('color')):06x}",
        **{f"{kind}{pixels}": f"{_ICONS}/{pixels}/{icon}.{kind}" for kind in ("png", "webp") for pixels in (32, 64)},
        "exchanges": 1 + int(160 * pick("exchanges") / size),
        "markets": 1 + int(1_500 * pick("markets") / size),
        "pairs": 1 + int(500 * pick("pairs") / size),
        "allTimeHighUSD": market.highest_rate(coin),
        "circulatingSupply": supply,
        "totalSupply": None if pick("total") < 0.02 else supply if pick("total") < 0.5 else int(exact * 1.2),
        "maxSupply": None if pick("max") < 0.46 else int(exact * 1.5),
        "links": {site: f"https://{site}.example/{icon}" if pick(site) < 0.45 else None for site in _LINKS},
    }
    if pick("symbol") < 0.03:  # missing on 97 of 100, null on some
        document["symbol"] = None if pick("symbol") < 0.01 else code[-1]
    if pick("categories") > 0.02:
        first = int(len(_CATEGORIES) * pick("category"))
        document["categories"] = [*_CATEGORIES, *_CATEGORIES][first : first + int(4 * pick("categories"))]
    return document
