"""What one cycle asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lcw_assets.sources.lcw import LARGEST_PAGE, page_request


@dataclass(frozen=True)
class PlannedCall:
    """One call. `part` names the asset that it is for: `coins` for `raw/coins`. `label` is what people call it."""

    part: str
    endpoint: str
    request: dict[str, Any]
    label: str


def plan_cycle(*, coins: int, exchanges: int, currency: str) -> list[PlannedCall]:
    """`status` and `credits` first: whatever is wrong with the address or the key shows before pages are paid for."""
    return [
        PlannedCall("status", "status", {}, "status"),
        PlannedCall("credits", "credits", {}, "credits"),
        PlannedCall("overview", "overview", {"currency": currency}, "overview"),
        *_pages("coins", "coins/list", coins, currency, "rank", "ascending"),
        *_pages("exchanges", "exchanges/list", exchanges, currency, "volume", "descending"),
    ]


def _pages(part: str, endpoint: str, entries: int, currency: str, sort: str, order: str) -> Iterator[PlannedCall]:
    offsets = range(0, entries, LARGEST_PAGE)
    for number, offset in enumerate(offsets, 1):
        limit = min(LARGEST_PAGE, entries - offset)
        label = f"{endpoint} page {number} of {len(offsets)}"
        yield PlannedCall(part, endpoint, page_request(currency, offset, limit, sort, order, meta=True), label)
