"""The order of `registry.token_events` on disk, which makes its queries fast at ten million rows.

Rows are appended as they come, so the rows of a contract are all over the table, and finding them reads all of it: 200
ms at ten million. Sorted by event, symbol and time now and then, they are found in 3. An index finds them as well, but
fetches them one by one (13 ms for two thousand, 70 when nothing is cached), and makes the file twice as large.
"""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from lcw_assets.warehouse.tables import append_row, one_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# So many unordered rows take 4 ms to scan. KuCoin has some hundred events a day: this takes months.
MOST_UNORDERED = 200_000

_TABLE = "registry.token_events"


def unordered(db: DuckDBPyConnection, rows: int) -> int:
    """How many of its `rows` came since it was sorted."""
    [ordered] = one_row(db, "SELECT coalesce(max(rows), 0) FROM ops.clusterings")
    return max(0, rows - int(ordered))


def cluster(db: DuckDBPyConnection) -> None:
    """Sort the table. Takes 25 s for ten million rows, so it is done rarely."""
    started = time.perf_counter()
    with transaction(db):
        [made] = one_row(
            db, "SELECT sql FROM duckdb_tables() WHERE schema_name = 'registry' AND table_name = 'token_events'"
        )
        db.execute(made.replace(_TABLE, f"{_TABLE}_ordered", 1))
        db.execute(f"INSERT INTO {_TABLE}_ordered FROM {_TABLE} ORDER BY event, symbol, observed_at")
        [rows] = one_row(db, f"SELECT count(*) FROM {_TABLE}_ordered")  # noqa: S608 - a name of our own
        db.execute(f"DROP TABLE {_TABLE}")
        db.execute(f"ALTER TABLE {_TABLE}_ordered RENAME TO token_events")
        row = {"clustered_at": datetime.now(timezone.utc), "rows": rows, "seconds": time.perf_counter() - started}
        append_row(db, "ops.clusterings", row)
