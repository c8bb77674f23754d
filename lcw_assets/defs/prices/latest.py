"""The last price that could be defended, for as long as there is no newer one: with its age, and called stale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from lcw_assets.defs.prices.consensus import Consensus
from lcw_assets.defs.prices.refusal import Refusal


@dataclass(frozen=True)
class Latest:
    """`price` in USD, agreed on `at`. `reason` is null for a price of the last round; otherwise it is stale, and the
    reason is why the last round has none.
    """

    coin: str
    price: float
    at: datetime
    reason: Refusal | None = None

    @property
    def stale(self) -> bool:
        return self.reason is not None

    def age_s(self, now: datetime) -> float:
        return (now - self.at).total_seconds()


def latest(consensus: Consensus, before: Latest | None) -> Latest | None:
    """After a round: its price, or the one before it, stale. A round that is older changes nothing. Null if the coin
    never had a price.
    """
    if before is not None and consensus.at < before.at:
        return before
    if consensus.price is not None:
        return Latest(consensus.coin, consensus.price, consensus.at)
    return None if before is None else replace(before, reason=consensus.reason)
