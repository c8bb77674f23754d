"""From the responses of a cycle to records. What cannot be read goes into the quarantine and blocks nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from lcw_assets.ingest.spool_file import Spooled, quarantined
from lcw_assets.sources.lcw.records import (
    Credits,
    Exchange,
    Overview,
    Quote,
    Record,
    Records,
    list_model,
    read_records,
    rows_json,
)
from lcw_assets.sources.records import Refused
from lcw_assets.warehouse.tables import Page

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class ParsedPage(Generic[R]):
    """The records of one response, and its request. `with_meta`: with names, supplies and the like.

    `entries` came, of which `usable` are records with all the values that were requested.
    """

    endpoint: str
    request: dict[str, Any]
    received_at: datetime
    with_meta: bool
    records: Sequence[R]
    entries: int
    usable: int


@dataclass(frozen=True)
class Parsed:
    """The responses of a cycle as records.

    `quarantine` has rows of `ops.quarantine`, without the cycle's id; `quarantined` counts the records and responses
    in them, by endpoint.
    """

    coins: list[ParsedPage[Quote]] = field(default_factory=list)
    exchanges: list[ParsedPage[Exchange]] = field(default_factory=list)
    overview: list[ParsedPage[Overview]] = field(default_factory=list)
    credits: list[ParsedPage[Credits]] = field(default_factory=list)
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
    for row in spooled.responses:
        endpoint, request = row["endpoint"], row["request"]
        if endpoint not in models:
            continue
        model, pages = models[endpoint]
        with_meta = bool(request.get("meta"))
        read = read_records(list_model(endpoint, request) or model, row["payload"])
        if model is Quote and not with_meta:
            _rank_by_place(read, request["offset"])
        received_at = datetime.fromisoformat(row["received_at"])
        pages.append(ParsedPage(endpoint, request, received_at, with_meta, read.records, read.entries, read.usable))
        _quarantine(parsed, endpoint, sum(refused.entries for refused in read.refused.values()), _rows(row, read))
    for row in spooled.quarantine():
        _quarantine(parsed, row["endpoint"], 1, [row])
    return parsed


def table_pages(pages: Sequence[ParsedPage[Any]]) -> list[Page]:
    """The pages as rows for a merge. Of a code in several pages the last one counts."""
    seen: set[str] = set()
    merged = []
    for page in sorted(pages, key=lambda page: page.received_at, reverse=True):
        latest = {record.code: record for record in page.records if record.code not in seen}
        seen |= latest.keys()
        if latest:
            merged.append(Page(rows_json(list(latest.values())), len(latest), page.received_at, page.with_meta))
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
    """Without `meta` there is no rank, but the list is by rank and has no gaps: the place is the rank."""
    for quote, place in zip(read.records, read.places, strict=True):
        quote.rank = offset + place + 1
