"""What a materialization of a cycle's tables says: counts and times that differ from cycle to cycle, and no constants.

Dagster plots every number over time, so a number that says nothing of the table is one plot too many.
"""

from typing import TYPE_CHECKING, Any

from lcw_assets.defs.monitoring.causes import PHASES
from lcw_assets.rounding import rounded

if TYPE_CHECKING:
    from lcw_assets.defs.market.store import Stored, StoredCycle

_ENDPOINTS = {
    "market.coins": "coins/list",
    "market.exchanges": "exchanges/list",
    "market.overview_ticks": "overview",
}


def table_metadata(table: str, own: "StoredCycle", stored: "Stored") -> dict[str, Any]:
    common = {
        "dagster/row_count": stored.tables[table].rows,
        "source": own.cycle.source,
        "cycle_id": own.cycle.load_id,
        "status": own.row["status"],
    }
    if table == "ops.cycles":
        return common | _cycle_metadata(own, stored)
    merged = own.merged[table]
    counts = {"rows_added": merged.changed}
    if table in ("market.coins", "market.exchanges"):
        counts = {
            "rows_seen": merged.seen,
            "rows_changed": merged.changed,
            "rows_unchanged": merged.seen - merged.changed,
        }
    if table in _ENDPOINTS:
        counts["rows_quarantined"] = own.quarantined.get(_ENDPOINTS[table], 0)
    return common | counts | {"seconds": rounded(stored.clock.store_s())}


def _cycle_metadata(own: "StoredCycle", stored: "Stored") -> dict[str, Any]:
    """Where the seconds went. A phase that the cycle did not live to measure is left out."""
    row = own.row
    return {
        **{name: rounded(row[name]) for name in ("cycle_s", *PHASES) if row[name] is not None},
        **{name: row[name] for name in ("calls", "retries", "hedges", "bytes")},
        "missing": len(row["missing"]),
        "older_cycles_stored": len(stored.cycles) - 1,
        **({"late_tick": "measured from the run's creation"} if row["late_tick"] else {}),
    }
