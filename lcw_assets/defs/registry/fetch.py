"""The first half of a sync: one call, answered or not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone

from lcw_assets.ingest.load import FetchEnd
from lcw_assets.sources.kucoin_futures.client import ENDPOINT, KuCoinFutures
from lcw_assets.transport.errors import CallError


@dataclass(frozen=True)
class Fetched:
    """What came of it: so many contracts, or why none. The answer itself is with the client's sink."""

    seconds: float
    contracts: int = 0
    why: str | None = None

    def end(self) -> FetchEnd:
        """What the spool is told now that the asking is over."""
        missing = [f"{ENDPOINT}: {self.why}"] if self.why else []
        return FetchEnd(datetime.now(timezone.utc), self.seconds, missing)


def fetch(api: KuCoinFutures) -> Fetched:
    """Ask for every contract. An answer that cannot be had is said in the result, and raises nothing."""
    started = time.perf_counter()
    try:
        answer = api.contracts()
    except CallError as error:
        return Fetched(time.perf_counter() - started, why=error.reason)
    return Fetched(time.perf_counter() - started, len(answer.records))
