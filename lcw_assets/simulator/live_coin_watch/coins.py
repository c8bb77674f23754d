"""The coins of Live Coin Watch, with the gaps and forms of its recorded responses."""

from __future__ import annotations

import math
from typing import Any

from lcw_assets.simulator.live_coin_watch.aggregate import Aggregate
from lcw_assets.simulator.market import DAY, Listing
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


def quote(shown: Aggregate, coin: Listing, minute: int, units: float) -> dict[str, Any]:
    """The values that move: rate, volume, cap, delta. One USD is `units` of the request's currency."""
    values = point(shown, coin, minute, units)
    if values["rate"] is None:
        return values | {"delta": dict.fromkeys(DELTAS)}
    rate = shown.rate(coin, minute)
    deltas = {
        name: round(rate / shown.rate(coin, minute - span), 4) if minute - span >= coin.listed_at else None
        for name, span in DELTAS.items()
    }
    return values | {"delta": deltas}


def point(shown: Aggregate, coin: Listing, minute: int, units: float) -> dict[str, Any]:
    """Rate, volume and cap: a point of history has these alone."""
    if not shown.market.traded(coin):
        return {"rate": None, "volume": 0, "cap": None}
    cap = shown.cap(coin.slot, minute)
    turnover = 0.002 * math.exp(3 * uniform(shown.seed, "turnover", coin.slot))
    busy = 1 + 0.3 * smooth(shown.shown_at(coin.slot, minute), 30, shown.seed, "volume", coin.slot)
    # Beyond the top 100 some coins have a price and no cap.
    has_cap = coin.slot <= 100 or coin.slot % 211 != 77
    return {
        "rate": shown.rate(coin, minute) * units,
        "volume": money(cap * turnover * busy, units),
        "cap": money(cap, units) if has_cap else None,
    }


def liquidity(shown: Aggregate, coin: Listing, minute: int, units: float) -> float | int:
    """Orders within 2 % of the price. Only the endpoints for a single coin have it."""
    return money(0.0006 * shown.cap(coin.slot, minute), units)


def metadata(shown: Aggregate, coin: Listing, minute: int, rank: int) -> dict[str, Any]:
    """What `meta: true` adds."""

    def pick(what: str) -> float:
        return uniform(shown.seed, what, coin.slot)

    code, icon = coin.code, coin.code.lower()
    exact = shown.supply(coin, minute)
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
        "allTimeHighUSD": shown.market.highest_price(coin),
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
