"""A cycle's row of `ops.loads`, and the same row as `ops.cycles` shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.facts import load_row
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.warehouse.tables import Merged

# What `ops.cycles` calls columns of `ops.loads`.
NAMES = {
    "load_id": "cycle_id",
    "load_s": "cycle_s",
    "fetch_s": "pull_s",
    "records_seen": "coins_seen",
    "records_changed": "coins_changed",
}


def cycle_row(
    spooled: Spooled,
    shortfalls: Sequence[str],
    merged: Mapping[str, Merged],
    quarantined: int,
    clock: StoreClock,
) -> dict[str, Any]:
    """`shortfalls` say what is missing of what was answered."""
    end = spooled.end
    missing = [*(end.missing if end else ["the process died while it pulled"]), *shortfalls]
    came = any(part.seen for table, part in merged.items() if table.startswith("market."))
    return load_row(
        spooled,
        clock,
        status="complete" if not missing else "partial" if came else "failed",
        missing=missing,
        seen=merged["market.coins"].seen,
        changed=merged["market.coins"].changed,
        quarantined=quarantined,
    )


def as_cycle(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `ops.loads` with the columns of `ops.cycles`."""
    return {NAMES.get(name, name): value for name, value in row.items()}
