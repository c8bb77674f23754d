"""What a cycle lacks although its calls succeeded: pages with fewer usable records than were due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lcw_assets.defs.market.parse import Parsed, ParsedPage
from lcw_assets.ingest.load import Missing
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.sources.lcw.requests import LARGEST_PAGE

# While pages are read, ranks move: a few coins are in two pages. A page that has more than this share of another one is
# a repeat of that page.
_SEAM = 0.1

# A list may end before the last requested page: its length changes by some entries a day.
_SHRINKS = 0.05


@dataclass(frozen=True)
class End:
    """The end of a list before the last requested page: after so many `entries` of those `due`."""

    endpoint: str
    entries: int
    due: int

    def against(self, before: int) -> list[Missing]:
        """What is wrong with that, if the list had `before` entries when all of it last came."""
        if self.entries >= before * (1 - _SHRINKS):
            return []
        reason = f"the list ends after {self.entries:,} of {self.due:,} entries, and had {before:,} before"
        return [Missing(self.endpoint, "list_ended", reason)]


def find_shortfalls(spooled: Spooled, parsed: Parsed) -> tuple[list[Missing], End | None]:
    """What is missing of the responses, each call with the numbers; and where the list of coins ended, if it did.

    If the list ends, its last page is short and pages beyond are empty: that is no shortfall. It counts as ended only
    if an empty page shows it.
    """
    coins, end = _of_list(parsed.coins, "LCW_COINS", _planned(spooled, "coins/list"))
    exchanges, _ = _of_list(parsed.exchanges, "LCW_EXCHANGES", _planned(spooled, "exchanges/list"))
    others: list[ParsedPage[Any]] = [*parsed.overview, *parsed.credits]
    single = [Missing(page.endpoint, "unusable", "its values cannot be used") for page in others if not page.usable]
    return [*_damaged(spooled), *coins, *exchanges, *single], end


def _of_list(pages: Sequence[ParsedPage[Any]], setting: str, planned: int) -> tuple[list[Missing], End | None]:
    ordered = sorted(pages, key=lambda page: page.request["offset"])
    filled = [page for page in ordered if page.entries]
    beyond = [page for page in ordered if filled and page.request["offset"] > filled[-1].request["offset"]]
    missing = []
    seen: set[str] = set()
    for page in ordered:
        codes = {record.code for record in page.records}
        repeated = len(codes & seen)
        seen |= codes
        if beyond and page in (filled[-1], *beyond):
            continue
        if repeated <= _SEAM * len(codes):
            repeated = 0
        if page.usable - repeated < page.request["limit"]:
            reason = _shortage(page, repeated)
            if page is ordered[-1] and page.entries < page.request["limit"]:
                reason += f"; if the list ends there, lower {setting}"
            label = _label(page.endpoint, page.request, max(planned, len(pages)))
            missing.append(Missing(label, "incomplete", reason))
    if not beyond:
        return missing, None
    end = filled[-1].request["offset"] + filled[-1].entries
    return missing, End(ordered[0].endpoint, end, beyond[-1].request["offset"] + beyond[-1].request["limit"])


def _shortage(page: ParsedPage[Any], repeated: int) -> str:
    """Such as `50 of 100 records came`, `100 of 100 records came, 100 of them in another page as well`."""
    text = f"{page.entries} of {page.request['limit']} records came"
    if page.usable < page.entries:
        text += f", {page.entries - page.usable} of them cannot be used"
    return f"{text}, {repeated} of them in another page as well" if repeated else text


def _damaged(spooled: Spooled) -> Iterator[Missing]:
    """Calls that succeeded, by the end of the fetch, and whose response is no longer in the spool."""
    if not spooled.end:
        return
    there = {_key(row) for row in spooled.responses}
    named = {missing.call for missing in spooled.end.missing}
    for row in spooled.planned:
        label = _label(row["endpoint"], row["request"], _planned(spooled, row["endpoint"]))
        if _key(row) not in there and label not in named:
            yield Missing(label, "damaged", "its response was damaged in the spool")


def _planned(spooled: Spooled, endpoint: str) -> int:
    return sum(row["endpoint"] == endpoint for row in spooled.planned)


def _label(endpoint: str, request: Mapping[str, Any], planned: int) -> str:
    """Its label in the plan of the cycle."""
    if "offset" not in request:
        return endpoint
    number = request["offset"] // LARGEST_PAGE + 1
    return f"{endpoint} page {number} of {max(planned, number)}"


def _key(row: Mapping[str, Any]) -> tuple[str, Any]:
    return row["endpoint"], row["request"].get("offset")
