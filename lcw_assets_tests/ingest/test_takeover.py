"""What an older version left, taken over: its database with its facts, and what waited in its spool.

`data/installation-0.1.tar.xz` is what version 0.1 left: a cycle, a sync and a backfill in its database, and a cycle and
a sync in its spool, which found the database locked. (Copied into a file that every DuckDB since 1.0 reads.)
"""

from __future__ import annotations

import tarfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.defs.market.cycles import Bench
from lcw_assets_tests.defs.registry.syncs import Registry

ARCHIVE = Path(__file__).parents[1] / "data" / "installation-0.1.tar.xz"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def query(data: Path, sql: str) -> list[tuple[Any, ...]]:
    with open_database(data / "demo.duckdb") as db:
        return db.execute(sql).fetchall()


def test_its_facts_are_loads_and_the_tables_that_users_know_show_them_as_before(data: Path) -> None:
    loads = query(data, "SELECT kind, source, status, calls FROM ops.loads ORDER BY kind")
    assert loads == [
        ("backfill", "simulator-history", "complete", 2),
        ("fetch_cycle", "simulator", "complete", 5),
        ("token_registry_sync", "kucoin-simulator", "complete", 1),
    ]
    [cycle] = query(data, "SELECT cycle_id, coins_seen, currency, round(cycle_s, 3), missing FROM ops.cycles")
    assert cycle == ("20261128T074311.589Z-80516cf2", 20, "USD", 1.565, [])
    [sync] = query(data, "SELECT status, contracts, listed, missing, reason, observed_at IS NULL FROM ops.syncs")
    assert sync == ("applied", 495, 495, 0, None, False)
    [phases] = query(data, "SELECT abs(sync_s - api_s - load_s - process_s - write_s - checks_s) < 1e-6 FROM ops.syncs")
    assert phases == (True,)


def test_what_waited_in_its_spool_is_stored(data: Path) -> None:
    bench, registry = Bench(data), Registry(data, now=datetime.now(timezone.utc))
    [cycle] = bench.store().cycles
    [one] = registry.store().syncs
    assert [*bench.said, *registry.said, *registry.alerts] == []
    assert cycle.row["status"] == "complete"
    assert (one.sync.kind, one.found.status, one.found.contracts) == ("token_registry_sync", "applied", 495)
    assert bench.spool.files() == registry.spool.files() == []
    assert query(data, "SELECT count(*) FROM ops.cycles") == query(data, "SELECT count(*) FROM ops.syncs") == [(2,)]
    # Who kept it out was written down by the version that waited.
    assert query(data, "SELECT count(*) FROM ops.lock_waits WHERE NOT opened") == [(2,)]
