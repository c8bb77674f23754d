"""Requests to Live Coin Watch, and the largest response that each explains: a larger one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LARGEST_PAGE = 100

# A few times the largest real ones: an entry of a list has 1,600 bytes with `meta`, a point of history 130, and a
# response has about 101 points, whatever the range.
_ENTRY_BYTES, _POINT_BYTES, _OTHER_BYTES = 8_000, 500, 65_536
_MOST_POINTS = 500


def most_entries(endpoint: str, request: Mapping[str, Any]) -> int | None:
    """How many entries the response to this request may have; null if no limit is known."""
    if endpoint.endswith("/history"):
        return _MOST_POINTS
    limit = request.get("limit")
    return int(limit) if limit is not None else None


def largest_body(endpoint: str, request: Mapping[str, Any]) -> int:
    """Bytes, after any decompression."""
    entries = most_entries(endpoint, request)
    if endpoint.endswith("/all"):
        entries = LARGEST_PAGE
    return _OTHER_BYTES + (entries or 0) * (_POINT_BYTES if endpoint.endswith("/history") else _ENTRY_BYTES)


def entries_of(endpoint: str, document: Any) -> int:
    """How many entries there are in a document of the right outer shape."""
    return len(document["history"] if endpoint == "coins/single/history" else document)


def page_request(*, currency: str, offset: int, limit: int, sort: str, order: str, meta: bool) -> dict[str, Any]:
    """The request for a page of `coins/list`, `coins/map` or `exchanges/list`."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise ValueError(f"limit={limit}: Live Coin Watch gives 1 to {LARGEST_PAGE} entries a call")
    if offset < 0:
        raise ValueError(f"offset={offset}: the first entry is at 0")
    return {
        "currency": currency,
        "sort": sort,
        "order": order,
        "offset": offset,
        "limit": limit,
        "meta": meta,
    }
