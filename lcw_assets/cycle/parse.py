"""From a cycle's answers, as text, to records. What is no record goes to the quarantine and stops nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from lcw_assets.sources.lcw_records import Coin, Exchange, Overview, Quote, Record, read_records, rows_json
from lcw_assets.warehouse.spool_file import Spooled, quarantined
from lcw_assets.warehouse.tables import Page

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class AnsweredPage(Generic[R]):
    """The records of one answer, and what had been asked for. `described`: with names, supplies and the like."""

    request: dict[str, Any]
    received_at: datetime
    described: bool
    records: list[R]


@dataclass(frozen=True)
class Parsed:
    """A cycle's answers as records. `quarantine` has rows of `ops.quarantine`, less the cycle's id."""

    coins: list[AnsweredPage[Quote]] = field(default_factory=list)
    exchanges: list[AnsweredPage[Exchange]] = field(default_factory=list)
    overview: list[AnsweredPage[Overview]] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)


def parse(spooled: Spooled) -> Parsed:
    parsed = Parsed()
    models: dict[str, tuple[type[Record], list[Any]]] = {
        "coins/list": (Quote, parsed.coins),
        "exchanges/list": (Exchange, parsed.exchanges),
        "overview": (Overview, parsed.overview),
    }
    for row in spooled.answers:
        if row["endpoint"] not in models:
            continue
        model, pages = models[row["endpoint"]]
        described = bool(row["request"].get("meta"))
        records, rejects = read_records(Coin if described and model is Quote else model, row["payload"])
        if model is Quote and not described:
            _rank_by_place(records, row["request"]["offset"], {reject.place for reject in rejects})
        received_at = datetime.fromisoformat(row["received_at"])
        pages.append(AnsweredPage(row["request"], received_at, described, records))
        parsed.quarantine.extend(quarantined(row, reject.reason, reject.text) for reject in rejects)
    parsed.quarantine.extend(spooled.quarantine())
    return parsed


def table_pages(pages: Sequence[AnsweredPage[Any]]) -> list[Page]:
    """The pages as rows for a merge. A code that stands in several counts where it was answered last."""
    seen: set[str] = set()
    merged = []
    for page in sorted(pages, key=lambda page: page.received_at, reverse=True):
        latest = {record.code: record for record in page.records if record.code not in seen}
        seen |= latest.keys()
        if latest:
            merged.append(Page(rows_json(list(latest.values())), len(latest), page.received_at, page.described))
    return merged


def _rank_by_place(quotes: Sequence[Any], offset: int, refused: set[int]) -> None:
    """Without `meta` no rank is told, but the list is by rank and has no holes: the place tells it."""
    places = (place for place in range(len(quotes) + len(refused)) if place not in refused)
    for quote, place in zip(quotes, places, strict=True):
        quote.rank = offset + place + 1
