"""What became of the windows that a stretch of a backfill asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from lcw_assets.defs.history.series import Series
from lcw_assets.ingest.spool_file import Spooled


def asked(
    series: Series, spooled: Spooled, answer: Mapping[str, Any], points: int, refused: int, step_s: float | None
) -> dict[str, Any]:
    """What came of a window. One whose points were all refused was not answered: it is asked for again."""
    good = points - refused
    coarse = step_s is not None and step_s > series.step.total_seconds()
    outcome = "refused" if points and not good else "coarse" if coarse else "points" if good else "empty"
    return _asked_row(series, spooled, answer["request"], datetime.fromisoformat(answer["received_at"]), good, outcome)


def missing(series: Series, spooled: Spooled) -> list[str]:
    """What this stretch asked for and did not get, each with the reason of its last attempt."""
    last = {
        (row["request"].get("code", ""), row["request"]["start"]): row
        for row in spooled.attempts
        if row["endpoint"] == series.endpoint and not is_unknown(row)
    }
    for row in spooled.answers:
        last.pop((row["request"].get("code", ""), row["request"]["start"]), None)
    lost = [
        f"{code} from {_moment(start):%Y-%m-%d}: {row['error']}".strip()
        for (code, start), row in last.items()
        if row["outcome"] != "ok"  # its response may be in the next file
    ]
    return [
        *lost,
        *([f"{len(spooled.damaged)} lines of the spool are damaged"] if spooled.damaged else []),
        *([] if spooled.end else ["the process died while it fetched"]),
    ]


def unknown(series: Series, spooled: Spooled) -> list[dict[str, Any]]:
    return [
        _asked_row(
            series, spooled, attempt["request"], datetime.fromisoformat(attempt["started_at"]), 0, "unknown_code"
        )
        for attempt in spooled.attempts
        if is_unknown(attempt)
    ]


def is_unknown(attempt: Mapping[str, Any]) -> bool:
    """Did the API say that there is no such coin? As `sources.lcw` tells it from other refusals."""
    return attempt["outcome"] == "rejected" and "unknown" in (attempt["error"] or "").lower()


def _asked_row(
    series: Series, spooled: Spooled, request: Mapping[str, Any], asked_at: datetime, points: int, outcome: str
) -> dict[str, Any]:
    """Of a window that is not over yet, what is later than the answer counts as not asked."""
    start, end = _moment(request["start"]), _moment(request["end"] + 1)
    settled = end if end <= asked_at else start + max(timedelta(0), (asked_at - start) // series.step * series.step)
    return {
        "series": series.name,
        "code": request.get("code", ""),
        "currency": spooled.load.currency,
        "window_start": start.isoformat(),
        "window_end": settled.isoformat(),
        "asked_at": asked_at.isoformat(),
        "points": points,
        "outcome": outcome,
        "begins": spooled.planned[0]["request"].get("begins", True),
        "batch_id": spooled.load.load_id,
    }


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, timezone.utc)
