"""The calls of a cycle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lcw_assets.ingest.load import PlannedCall
from lcw_assets.sources.lcw.requests import LARGEST_PAGE, page_request


def wants_profiles(scheduled_at: datetime | None, *, database_exists: bool) -> bool:
    """Does this cycle request `meta` as well: names, supplies, links?

    They rarely change and are seven eighths of a response, so only these cycles request them: those of full hours,
    manual runs, and the very first one.
    """
    return scheduled_at is None or scheduled_at.minute == 0 or not database_exists


def plan_cycle(*, coins: int, exchanges: int, currency: str, meta: bool) -> list[PlannedCall]:
    """`status` and `credits` first: a wrong address or key fails before pages are paid for."""
    return [
        PlannedCall("status", "status", {}, "status", essential=False),
        PlannedCall("credits", "credits", {}, "credits", essential=False),
        PlannedCall("overview", "overview", {"currency": currency}, "overview"),
        *_pages(
            "coins", "coins/list", coins, {"currency": currency, "sort": "rank", "order": "ascending", "meta": meta}
        ),
        *_pages(
            "exchanges",
            "exchanges/list",
            exchanges,
            {"currency": currency, "sort": "volume", "order": "descending", "meta": meta},
        ),
    ]


def _pages(part: str, endpoint: str, entries: int, common: dict[str, Any]) -> Iterator[PlannedCall]:
    offsets = range(0, entries, LARGEST_PAGE)
    for number, offset in enumerate(offsets, 1):
        request = page_request(**common, offset=offset, limit=min(LARGEST_PAGE, entries - offset))
        yield PlannedCall(part, endpoint, request, f"{endpoint} page {number} of {len(offsets)}")
