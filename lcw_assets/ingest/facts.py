"""The row of `ops.loads`: where each second of a load went, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.load import Missing
from lcw_assets.ingest.spool_file import Spooled

Status = Literal["complete", "partial", "failed"]

# The columns of `ops.loads` that add up to `load_s`, in their order.
PHASES = ("queue_s", "start_s", "fetch_s", "handover_s", "store_s", "lock_wait_s")


def load_row(
    spooled: Spooled,
    clock: StoreClock,
    *,
    status: Status,
    missing: Sequence[Missing],
    seen: int,
    changed: int,
    quarantined: int,
    observed_at: datetime | None = None,
    detail: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Made when everything else of the load is written: its commit is the next thing that happens.

    The phases add up to `load_s`. What a dead process did not live to measure is null. `seen` and `changed` count
    records; `detail` is what only this kind of load has. What is missing is there in words, and its codes in `detail`.
    """
    load, end, attempts = spooled.load, spooled.end, spooled.attempts
    committed_at: datetime = clock.now()
    return {
        "load_id": load.load_id,
        "kind": load.kind,
        "run_id": load.run_id,
        "source": load.source,
        "currency": load.currency or None,
        "scheduled_at": load.scheduled_at,
        "started_at": load.started_at,
        "observed_at": observed_at or _last_response(spooled),
        "committed_at": committed_at,
        "load_s": (committed_at - load.clock_started_at).total_seconds(),
        "queue_s": load.queue_s,
        "start_s": load.start_s,
        "fetch_s": end.fetch_s if end else None,
        "handover_s": (clock.started_at - end.ended_at).total_seconds() if end else None,
        "store_s": clock.store_s(),
        "lock_wait_s": clock.lock_wait_s,
        "status": status,
        "late_tick": load.late_tick,
        "calls": sum(attempt["outcome"] != "deadline" for attempt in attempts),
        "retries": sum(attempt["attempt"] > 1 for attempt in attempts),
        "hedges": sum(attempt["hedge"] for attempt in attempts),
        "bytes": sum(attempt["bytes"] for attempt in attempts),
        "records_seen": seen,
        "records_changed": changed,
        "quarantined": quarantined,
        "missing": [str(one) for one in missing],
        "detail": {**(detail or {}), **({"missing_calls": [vars(one) for one in missing]} if missing else {})},
    }


def _last_response(spooled: Spooled) -> datetime | None:
    return max((datetime.fromisoformat(row["received_at"]) for row in spooled.responses), default=None)
