"""Moments and durations, as lines of a terminal."""

from __future__ import annotations

from datetime import datetime


def age(since: datetime, now: datetime) -> str:
    """Such as `12 s`, `5 min`, `3 h`, `2 days`."""
    seconds = (now - since).total_seconds()
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(at: datetime, now: datetime) -> str:
    """The time in UTC, with its day where that is not today."""
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"
