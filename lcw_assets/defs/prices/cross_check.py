"""Live Coin Watch's prices against the consensus. They are averages of exchanges themselves, and never vote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.pricing import Round

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Older prices of Live Coin Watch are not compared: that no fetch cycle runs is for the check `fresh` of its tables.
_OLDEST_S = 300.0


@dataclass(frozen=True)
class CrossCheck:
    """A row of `prices.lcw_deviation` for each coin that could be compared, and why others could not."""

    rows: Sequence[Mapping[str, Any]]
    not_compared: str = ""


def cross_check(
    db: DuckDBPyConnection, found: Round, off_since: Mapping[str, datetime | None], *, currency: str, limit: float
) -> CrossCheck:
    """Of the coins that have a consensus price. `limit` is a share."""
    prices = {one.coin: one.price for one in found.consensus if one.price is not None}
    to_usd = _usd_of(currency, prices, found)
    if to_usd is None:
        return CrossCheck((), f"Live Coin Watch's prices are in {currency}, and nothing here converts it to USD")
    sent = db.execute(
        "SELECT code, rate, observed_at FROM market.coins "
        "WHERE currency = ? AND rate > 0 AND observed_at <= ? AND code IN (SELECT unnest(?))",
        [currency, found.at, list(prices)],
    ).fetchall()
    rows = []
    for coin, rate, observed_at in sent:
        age_s = (found.at - observed_at).total_seconds()
        if age_s > _OLDEST_S:
            continue
        deviation = rate * to_usd / prices[coin] - 1
        since = off_since.get(coin)
        since = since if since and since <= found.at else found.at  # later ones are of a clock that was wrong
        rows.append(
            {
                "symbol": coin,
                "priced_at": found.at,
                "lcw": rate * to_usd,
                "consensus": prices[coin],
                "deviation": deviation,
                "age_s": age_s,
                "off_since": since if abs(deviation) > limit else None,
            }
        )
    compared = {row["symbol"] for row in rows}
    without = sorted(set(prices) - compared)
    return CrossCheck(rows, f"no recent price of Live Coin Watch: {', '.join(without)}" if without else "")


def _usd_of(currency: str, prices: Mapping[str, float], found: Round) -> float | None:
    """USD for one unit of what Live Coin Watch's prices are in."""
    if currency == "USD":
        return 1.0
    rate = found.rates.get(currency)
    return rate.usd if isinstance(rate, Rate) else prices.get(currency)
