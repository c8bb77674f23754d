"""From a cycle's answers, as text, to records. What cannot be read goes to the quarantine and stops nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from lcw_assets.ingest.spool_file import Spooled, quarantined
from lcw_assets.sources.lcw.records import (
    Coin,
    Credits,
    Exchange,
    Overview,
    Quote,
    Record,
    Records,
    read_records,
    rows_json,
)
from lcw_assets.sources.records import Refused
from lcw_assets.warehouse.tables import Page

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class AnsweredPage(Generic[R]):
    """The records of one answer, and what had been asked for. `described`: with names, supplies and the like.

    `entries` came, of which `usable` are records with all the values that were asked for.
    """

    endpoint: str
    request: dict[str, Any]
    received_at: datetime
    described: bool
    records: Sequence[R]
    entries: int
    usable: int


@dataclass(frozen=True)
class Parsed:
    """A cycle's answers as records. `quarantine` has rows of `ops.quarantine`, less the cycle's id; `quarantined` says
    of how many records and answers they are, by endpoint.
    """

    coins: list[AnsweredPage[Quote]] = field(default_factory=list)
    exchanges: list[AnsweredPage[Exchange]] = field(default_factory=list)
    overview: list[AnsweredPage[Overview]] = field(default_factory=list)
    credits: list[AnsweredPage[Credits]] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    quarantined: dict[str, int] = field(default_factory=dict)


def parse(spooled: Spooled) -> Parsed:
    parsed = Parsed()
    models: dict[str, tuple[type[Record], list[Any]]] = {
        "coins/list": (Quote, parsed.coins),
        "exchanges/list": (Exchange, parsed.exchanges),
        "overview": (Overview, parsed.overview),
        "credits": (Credits, parsed.credits),
    }
    for row in spooled.answers:
        endpoint, request = row["endpoint"], row["request"]
        if endpoint not in models:
            continue
        model, pages = models[endpoint]
        described = bool(request.get("meta"))
        read = read_records(Coin if described and model is Quote else model, row["payload"])
        if model is Quote and not described:
            _rank_by_place(read, request["offset"])
        received_at = datetime.fromisoformat(row["received_at"])
        pages.append(AnsweredPage(endpoint, request, received_at, described, read.records, read.entries, read.usable))
        _quarantine(parsed, endpoint, sum(refused.entries for refused in read.refused.values()), _rows(row, read))
    for row in spooled.quarantine():
        _quarantine(parsed, row["endpoint"], 1, [row])
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


def refusals(refused: Mapping[str, Refused]) -> Iterator[tuple[str, str]]:
    """A reason and a text for each entry that is kept, and how many more there were."""
    for reason, found in refused.items():
        yield from ((reason, text) for text in found.texts)
        more = found.entries - len(found.texts)
        if more:
            yield f"{reason} ({more} more)", ""


def _quarantine(parsed: Parsed, endpoint: str, count: int, rows: list[dict[str, Any]]) -> None:
    parsed.quarantine.extend(rows)
    if count:
        parsed.quarantined[endpoint] = parsed.quarantined.get(endpoint, 0) + count


def _rows(row: Mapping[str, Any], read: Records[Any]) -> list[dict[str, Any]]:
    return [quarantined(row, reason, text) for reason, text in refusals(read.refused)]


def _rank_by_place(read: Records[Any], offset: int) -> None:
    """Without `meta` no rank is told, but the list is by rank and has no holes: the place tells it."""
    for quote, place in zip(read.records, read.places, strict=True):
        quote.rank = offset + place + 1
