"""The seams between pages: what stood in two of them, and what fell between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lcw_assets.cycle.parse import AnsweredPage
from lcw_assets.sources.lcw_records import Coin


@dataclass(frozen=True)
class PageAudit:
    """A list that moves while it is read page by page.

    `repeated` codes stood in more than one place; `absent` ranks should have stood in a page and did not.
    """

    received: int
    repeated: tuple[str, ...]
    absent: tuple[int, ...]


def audit_pages(pages: Sequence[AnsweredPage[Coin]]) -> PageAudit:
    """Hold what came against what was asked for. A short last page is where the list ends: nothing beyond is absent."""
    coins = [coin for page in pages for coin in page.records]
    ranks = {coin.rank for coin in coins if coin.rank is not None}
    windows = [(page.request["offset"], page.request["limit"], len(page.records)) for page in pages]
    asked = {rank for offset, limit, _ in windows for rank in range(offset + 1, offset + limit + 1)}
    _, limit, came = max(windows, default=(0, 0, 0))
    last = max(ranks, default=0) if came < limit else max(asked, default=0)
    return PageAudit(
        received=len(coins),
        repeated=tuple(code for code, times in Counter(coin.code for coin in coins).items() if times > 1),
        absent=tuple(sorted(rank for rank in asked - ranks if ranks and rank <= last)),
    )
