"""Why a cycle that still runs is slow, from what it has spooled so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lcw_assets.defs.monitoring.causes import CallFact, call_label
from lcw_assets.defs.monitoring.codes import Cause, Code
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled


def explain_running(spool: Spool, run_id: str, now: datetime) -> Cause:
    """What the cycle of this run waits for."""
    files = [path for path in spool.files() if f"-{run_id[:8]}" in path.name]
    return explain_spooled(spool, files[-1], now) if files else Cause(Code.not_pulling)


def explain_spooled(spool: Spool, path: Path, now: datetime) -> Cause:
    """What the cycle of this file waits for."""
    try:
        spooled = spool.read(path)
    except ValueError as error:
        return Cause(Code.spool_unreadable, {"error": str(error)})
    if spooled is None:
        return Cause(Code.not_pulling)
    if spooled.end:
        return Cause(Code.not_stored, {"took_s": spooled.end.fetch_s})
    received = {_key(row) for row in spooled.responses}
    waiting = [row for row in spooled.planned if _key(row) not in received]
    if not waiting:
        return Cause(Code.process_stopped)
    longest = max((_wait(row, spooled, now) for row in waiting), key=lambda cause: cause.fields["waited_s"])
    missing = {"missing": len(waiting), "planned": len(spooled.planned)} if len(waiting) > 1 else {}
    return Cause(longest.code, longest.fields | missing)


def _wait(planned: Mapping[str, Any], spooled: Spooled, now: datetime) -> Cause:
    """How long a call has been in flight, and after which failures."""
    own = [row for row in spooled.attempts if _key(row) == _key(planned)]
    ends = [datetime.fromisoformat(row["started_at"]) + timedelta(seconds=row["latency_s"]) for row in own]
    since = max(ends, default=spooled.load.started_at)
    fields = {"call": call_label(planned), "waited_s": round((now - since).total_seconds())}
    if not own:
        return Cause(Code.no_response, fields)
    last = CallFact.from_row(own[-1])
    return Cause(Code.no_response_to_retry, fields | {"attempt": last.attempt + 1, "after": last.failure})


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["endpoint"], json.dumps(row["request"], sort_keys=True)
