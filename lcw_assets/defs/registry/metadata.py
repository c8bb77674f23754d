"""What a materialization of the registry's tables says: counts and times that differ from sync to sync."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets.rounding import rounded

if TYPE_CHECKING:
    from lcw_assets.defs.registry.store import Stored, StoredSync


def table_metadata(table: str, own: "StoredSync", stored: "Stored") -> dict[str, Any]:
    state, found, changes = stored.state, own.found, own.found.changes
    if state is None:
        return {}
    common = {"sync_id": own.sync.load_id, "status": found.status, "seconds": rounded(own.phases.total)}
    if table == "tokens":
        return common | {
            "dagster/row_count": state.tokens,
            "contracts": found.contracts,
            "active": state.active,
            "new": state.new,
            "listed": changes.listed,
            "relisted": changes.relisted,
            "delisted": changes.delisted,
            "changed": changes.parameter_changes + changes.status_changes,
            "quarantined": own.row["quarantined"],
            "unknown_fields": ", ".join(found.unknown) or "none",
            "newest_listings": dg.MetadataValue.md(state.newest_markdown()),
        }
    if table == "token_events":
        events = changes.listed + changes.relisted + changes.delisted + changes.status_changes
        return common | {"dagster/row_count": state.events, "rows_added": events + changes.parameter_changes}
    if table == "token_snapshots":
        return common | {"dagster/row_count": state.snapshots, "rows_added": changes.snapshots}
    phases = {f"{name}_s": rounded(seconds) for name, seconds in vars(own.phases).items() if seconds is not None}
    return common | {
        "dagster/row_count": state.syncs,
        "lock_wait_s": rounded(stored.clock.lock_wait_s),
        **phases,
        **{name: own.row[name] for name in ("calls", "retries", "bytes")},
        "older_syncs_stored": len(stored.syncs) - 1,
    }
