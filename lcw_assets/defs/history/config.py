"""What a run of history may be told besides its days."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from lcw_assets import escape

# Plain types. In a `dg.Config`, a text may be `{"env": "LCW_API_KEY"}` as well: whoever launches runs in the UI would
# have the key asked for as a coin, and read it in the log.
SCHEMA = {
    "dry_run": dg.Field(
        bool,
        default_value=False,
        description="Say what would be asked for and what that costs, and ask for nothing.",
    ),
    "refresh": dg.Field(
        bool, default_value=False, description="Ask again for what was asked for before, to see what was restated."
    ),
    "refreshed_since": dg.Field(
        dg.Noneable(str), default_value=None, description="What was asked since this moment is not asked again."
    ),
    "begins": dg.Field(bool, default_value=True, description="From here on, keep the series up to date."),
    "coins": dg.Field(
        dg.Noneable(str),
        default_value=None,
        description="Other coins than LCW_TRACKED_COINS: codes (BTC ETH), or the largest (top:100).",
    ),
}


class StopError(Exception):
    """Something that nothing can be asked for. Says what and why."""


@dataclass(frozen=True)
class HistoryConfig:
    """As in `SCHEMA`. `asked_since`: what was asked before it is asked again; null: nothing is."""

    dry_run: bool
    begins: bool
    coins: str | None
    asked_since: datetime | None

    @classmethod
    def read(cls, given: Mapping[str, Any], now: datetime) -> "HistoryConfig":
        """Raises `StopError`."""
        since = _moment(given["refreshed_since"]) if given["refreshed_since"] else now
        return cls(given["dry_run"], given["begins"], given["coins"], since if given["refresh"] else None)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):  # the latter for the first day of the year 1, east of Greenwich
        said = f"refreshed_since={escape.line(text, 60)}"
        raise StopError(f"{said}: it must be a moment such as 2026-11-20T12:00:00+00:00") from None
