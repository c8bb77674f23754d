"""Compares pages: entries that were in two of them, and entries that were in none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lcw_assets.defs.market.parse import ParsedPage
from lcw_assets.sources.lcw.records import Quote


@dataclass(frozen=True)
class PageAudit:
    """A list that moves while it is read page by page.

    `repeated` codes were in more than one place. `absent` is the number of coins that should have been in a page and
    were not; if the responses had ranks, `absent_ranks` says which.
    """

    received: int
    repeated: tuple[str, ...]
    absent: int
    absent_ranks: tuple[int, ...]


def audit_pages(pages: Sequence[ParsedPage[Quote]]) -> PageAudit:
    """Compare what came with what was requested. The list ends with a short last page: nothing beyond it is absent.

    Without ranks, each coin that is there twice means that one is absent: so many places were requested.
    """
    quotes = [quote for page in pages for quote in page.records]
    times = Counter(quote.code for quote in quotes)
    ranks = {quote.rank for page in pages for quote in page.records if page.with_meta and quote.rank is not None}
    windows = [(page.request["offset"], page.request["limit"], len(page.records)) for page in pages]
    requested = {rank for offset, limit, _ in windows for rank in range(offset + 1, offset + limit + 1)}
    _, limit, came = max(windows, default=(0, 0, 0))
    last = max(ranks, default=0) if came < limit else max(requested, default=0)
    absent_ranks = tuple(sorted(rank for rank in requested - ranks if ranks and rank <= last))
    return PageAudit(
        received=len(quotes),
        repeated=tuple(code for code, count in times.items() if count > 1),
        absent=len(absent_ranks) if ranks else len(quotes) - len(times),
        absent_ranks=absent_ranks,
    )
