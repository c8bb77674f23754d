"""What people ask of the registry, at 5,000 contracts and ten million events."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from lcw_assets.defs.registry.layout import cluster
from lcw_assets.warehouse.connection import compact, open_database
from lcw_assets.warehouse.schema import tables

EVENTS = 10_000_000
ASKED = {
    "active tokens": "registry.active_tokens",
    "new in the last 24 hours": "registry.new_tokens(24)",
    "delisted since a week ago": "registry.delisted_since(now() - INTERVAL 7 DAY)",
    "one token's history": "registry.token_history('C77USDTM')",
    "funding leaders": "registry.funding_leaders",
    "listed on a date": "registry.listed_on((now() - INTERVAL 30 DAY)::DATE)",
}


def fill(database: Path) -> None:
    """Ten years of events, as syncs would have left them: each contract's are all over the table."""
    given = {
        "symbol": "'C' || n || 'USDTM'", "status": "CASE WHEN n % 10 = 0 THEN 'delisted' ELSE 'active' END",
        "is_new": "n % 100 = 1", "listed_at": "now() - INTERVAL (n) HOUR", "fingerprint": "n::VARCHAR",
        "first_seen": "now()", "last_seen": "now()", "changed_at": "now()", "funding_fee_rate": "random() - 0.5",
        "unknown_fields": "NULL", "source_exchanges": "['okex', 'binance']",
    }  # fmt: skip
    usual = {"DOUBLE": "random()", "VARCHAR": "'text ' || n % 7", "BOOLEAN": "n % 2 = 0", "TIMESTAMPTZ": "NULL"}
    columns = [
        f"{given.get(column.name) or usual[column.type]} AS {column.name}" for column in tables()["registry.tokens"]
    ]
    with open_database(database) as db:
        db.execute(f"INSERT INTO registry.tokens BY NAME SELECT {', '.join(columns)} FROM range(5000) AS r(n)")  # noqa: S608
        db.execute(
            "INSERT INTO registry.token_events BY NAME "
            "SELECT 'C' || (n * 7919) % 5000 || 'USDTM' AS symbol, "
            "CASE WHEN n % 1000 = 0 THEN 'listed' WHEN n % 1000 = 1 THEN 'delisted' WHEN n % 1000 = 2 THEN 'relisted' "
            "WHEN n % 100 = 3 THEN 'status_changed' ELSE 'parameter_changed' END AS event, "
            "'max_risk_limit' AS field, (n % 17)::VARCHAR AS old_value, (n % 19)::VARCHAR AS new_value, "
            "now() - to_seconds(30 * ($events - n)) AS happened_at, happened_at AS observed_at, "
            "'20261120T120000.000Z-' || n // 7 AS sync_id FROM range($events) AS r(n)",
            {"events": EVENTS},
        )
        compact(db)


def ask_all(database: Path, title: str) -> None:
    print(f"{title}: milliseconds to work the rows out, and to hand them to Python as well")
    with open_database(database, read_only=True) as db:
        for name, query in ASKED.items():
            rows = len(db.execute(f"FROM {query}").fetchall())
            kept, fetched = [], []
            for _ in range(9):
                started = time.perf_counter()
                db.execute(f"CREATE OR REPLACE TEMP TABLE found AS FROM {query}")
                kept.append(time.perf_counter() - started)
                started = time.perf_counter()
                db.execute(f"FROM {query}").fetchall()
                fetched.append(time.perf_counter() - started)
            print(f"  {name:26} {1000 * median(kept):7.1f} {1000 * median(fetched):7.1f}   {rows:,} rows", flush=True)


def queries() -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        database = Path(folder) / "demo.duckdb"
        fill(database)
        ask_all(database, f"{EVENTS:,} events as they came")
        with open_database(database) as db:
            started = time.perf_counter()
            cluster(db)
            compact(db)
            db.execute(
                "INSERT INTO registry.token_events SELECT * REPLACE (now() AS observed_at, now() AS happened_at) "
                "FROM registry.token_events USING SAMPLE 100000 ROWS"
            )
        print(f"put in order in {time.perf_counter() - started:.0f} s, and 100,000 more since")
        ask_all(database, f"{EVENTS:,} events in order")
