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
    """Hold what came against what was asked for. The list may end early: no rank beyond the last one is absent."""
    coins = [coin for page in pages for coin in page.records]
    ranks = {coin.rank for coin in coins if coin.rank is not None}
    offsets = [(page.request["offset"], page.request["limit"]) for page in pages]
    asked = {rank for offset, limit in offsets for rank in range(offset + 1, offset + limit + 1)}
    return PageAudit(
        received=len(coins),
        repeated=tuple(code for code, times in Counter(coin.code for coin in coins).items() if times > 1),
        absent=tuple(sorted(rank for rank in asked - ranks if ranks and rank < max(ranks))),
    )
