"""What is known of one load before it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

_DATES = ("scheduled_at", "clock_started_at", "started_at")


def load_id(moment: datetime, run_id: str) -> str:
    """`20261120T080100.000Z-1a2b3c4d`: sorts by time, names the run."""
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z-{run_id[:8]}"


def load_moment(load_id: str) -> datetime | None:
    """The time in a load's id; null for other text, such as another file's name."""
    try:
        return datetime.strptime(load_id[:19], "%Y%m%dT%H%M%S.%f").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


@dataclass(frozen=True)
class Load:
    """A run that brings data, as it begins to fetch: a fetch cycle, a registry sync, a stretch of a backfill.

    `kind` is the job: fetch_cycle, token_registry_sync, backfill. Its time counts from `clock_started_at`: the tick, or
    for a manual run and a late tick the run's creation. `queue_s` is the seconds from there until the process existed,
    `start_s` from then until `started_at`.
    """

    load_id: str
    kind: str
    run_id: str
    scheduled_at: datetime | None
    clock_started_at: datetime
    started_at: datetime
    queue_s: float
    start_s: float
    late_tick: bool
    source: str
    currency: str

    @classmethod
    def begun(cls, load_id: str, kind: str, at: datetime, *, run_id: str, source: str, currency: str = "") -> Load:
        """A load that no schedule started: its time counts from the moment at which it begins to fetch."""
        return cls(load_id, kind, run_id, None, at, at, 0.0, 0.0, False, source, currency)

    def to_row(self) -> dict[str, Any]:
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(self).items()}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Load:
        """Raises `KeyError`, `TypeError` or `ValueError` if it is none."""
        if "cycle_id" in row:
            row = _of_old(row)
        return cls(**{**row, **{name: datetime.fromisoformat(row[name]) for name in _DATES if row[name]}})


def _of_old(row: dict[str, Any]) -> dict[str, Any]:
    """As versions before 0.2 wrote it: every load was a `cycle`, and only its source showed of which kind."""
    source = row["source"]
    kind = "token_registry_sync" if source.startswith("kucoin") else "fetch_cycle"
    kind = "backfill" if source.endswith("-history") else kind
    return {"load_id": row["cycle_id"], "kind": kind} | {name: row[name] for name in row if name != "cycle_id"}


@dataclass(frozen=True)
class PlannedCall:
    """A call that a load is going to make.

    `part` names the raw asset that it is for: `coins` for `raw/coins`. `label` is its name for people. A load that got
    none of its `essential` calls has failed. In a load of a group, `source` is the name of the one that is called, and
    `client` has attributes of its client, such as `lifetime_s`.
    """

    part: str
    endpoint: str
    request: dict[str, Any]
    label: str
    essential: bool = True
    source: str = ""
    client: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """What a load did not get: the label of a call (empty: it concerns the whole load), and why.

    `code` is the outcome of the call's last attempt, or one of: breaker_open, spool_full, process_died, damaged,
    incomplete, unusable, list_ended. `reason` words it for people.
    """

    call: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.call}: {self.reason}" if self.call else self.reason

    @classmethod
    def from_row(cls, row: dict[str, Any] | str) -> Missing:
        if isinstance(row, str):  # as versions before 0.2 wrote it
            call, colon, reason = row.partition(": ")
            return cls(call if colon else "", "unknown", reason if colon else row)
        return cls(**row)


PROCESS_DIED = Missing("", "process_died", "the process died while it fetched")


@dataclass(frozen=True)
class FetchEnd:
    """How a fetch ended, after `fetch_s` seconds."""

    ended_at: datetime
    fetch_s: float
    missing: Sequence[Missing] = ()

    def to_row(self) -> dict[str, Any]:
        return {
            "ended_at": self.ended_at.isoformat(),
            "fetch_s": self.fetch_s,
            "missing": [vars(missing) for missing in self.missing],
        }

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> FetchEnd:
        seconds = row["fetch_s"] if "fetch_s" in row else row["pull_s"]  # the latter before 0.2
        missing = [Missing.from_row(one) for one in row["missing"]]
        return cls(datetime.fromisoformat(row["ended_at"]), seconds, missing)
