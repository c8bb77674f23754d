"""Why a cycle that still runs is slow, from what it has spooled so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from lcw_assets.defs.monitoring.causes import CallFact, call_label
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.rounding import seconds


def explain_running(spool: Spool, run_id: str, now: datetime) -> str:
    """What the cycle of this run waits for, in words."""
    files = [path for path in spool.files() if f"-{run_id[:8]}" in path.name]
    try:
        spooled = spool.read(files[-1]) if files else None
    except ValueError as error:
        return str(error)
    if spooled is None:
        return "it has not begun to pull: it is queued or still starting, or stored by now"
    if spooled.end:
        return f"it has pulled in {seconds(spooled.end.fetch_s)} and waits to be stored"
    answered = {_key(row) for row in spooled.answers}
    waiting = [row for row in spooled.planned if _key(row) not in answered]
    if not waiting:
        return "every answer is there, and the process has not gone on"
    _, text = max((_wait(row, spooled, now) for row in waiting), key=lambda wait: wait[0])
    others = f"; {len(waiting)} of {len(spooled.planned)} calls are missing" if len(waiting) > 1 else ""
    return f"{text}{others}"


def _wait(planned: Mapping[str, Any], spooled: Spooled, now: datetime) -> tuple[float, str]:
    """For how many seconds a call has been waited for, and how to say it."""
    own = [row for row in spooled.attempts if _key(row) == _key(planned)]
    ends = [datetime.fromisoformat(row["started_at"]) + timedelta(seconds=row["latency_s"]) for row in own]
    since = max(ends, default=spooled.load.started_at)
    last = CallFact.from_row(own[-1]) if own else None
    after = f" on attempt {last.attempt + 1} after {last.failure}" if last else ""
    waited_s = (now - since).total_seconds()
    return waited_s, f"{call_label(planned)} has not answered for {waited_s:.0f} s{after}"


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["endpoint"], json.dumps(row["request"], sort_keys=True)
