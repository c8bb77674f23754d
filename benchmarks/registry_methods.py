"""One method of `benchmarks.registry` in a process of its own: a sync for each line on standard input."""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

ENDPOINT = "api/v1/contracts/active"


def ours(address: str, folder: Path) -> dict[str, float]:
    """As the job does it, less Dagster."""
    from benchmarks.loads import Quiet, demo, runner
    from lcw_assets.defs.registry.definitions import token_registry_sync
    from lcw_assets.defs.registry.load import SyncHooks
    from lcw_assets.ingest.fetch import fetch_all
    from lcw_assets.ingest.load import Load, PlannedCall
    from lcw_assets.sources.kucoin_futures.client import KuCoinFutures
    from lcw_assets.transport.client import Client
    from lcw_assets.transport.deadline import Deadline

    class Large(KuCoinFutures):
        def largest_body(self, endpoint: str, request: dict[str, Any]) -> int:  # noqa: ARG002
            return 128_000_000  # 50,000 contracts are more than a run takes

    hooks = SyncHooks(demo(folder), Quiet(), deliver=lambda _alerts: None)
    sync_runner, now = runner(token_registry_sync, hooks), datetime.now(timezone.utc)
    name = f"{now:%Y%m%dT%H%M%S.%f}"
    sync = Load.begun(name, "token_registry_sync", now, run_id="run", source="kucoin-simulator")
    with sync_runner.spool.open(sync) as sink:
        client = Client(address, source="kucoin-simulator", sink=sink)
        with closing(client):
            deadline = Deadline.after(50)
            api = Large(client, deadline=deadline, simulated=True)
            calls = [PlannedCall("contracts", ENDPOINT, {}, ENDPOINT)]
            fetched = fetch_all(
                api, calls, deadline=deadline, in_flight=1, log=lambda _line: None, received=hooks.received
            )
        end = fetched.end(now)
        sink.end(end)
    own = sink.spooled(sync, end)
    [done] = sync_runner.store(own=own).loads
    result = done.outcome.data.result
    if result.status != "applied":
        sys.exit(f"the sync was {result.status}: {result.reason}")
    return {f"{phase}_s": seconds or 0.0 for phase, seconds in vars(done.outcome.data.phases).items()}


_MARKET = ("markPrice", "indexPrice", "lastTradePrice", "fundingFeeRate", "predictedFundingFeeRate", "openInterest")
_MOVES = {*_MARKET, "nextFundingRateTime", "turnoverOf24h", "volumeOf24h", "lowPrice", "highPrice", "priceChgPct",
          "priceChg", "buyLimit", "sellLimit"}  # fmt: skip


def sqlite(address: str, folder: Path, *, batch: int) -> dict[str, float]:
    """Keep the response; then a row at a time: validate, look up, compare, write what changed, upsert.

    A commit after each `batch` of rows.
    """
    import requests

    from lcw_assets.sources.kucoin_futures.records import Contract

    text = requests.get(f"{address}/{ENDPOINT}", timeout=60).text
    records = json.loads(text)["data"]
    now = datetime.now(timezone.utc).isoformat()
    with closing(sqlite3.connect(folder / "registry.sqlite", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        fields = list(records[0])
        own = "state, first_seen, last_seen, PRIMARY KEY (symbol)"
        db.execute(f"CREATE TABLE IF NOT EXISTS tokens ({', '.join(fields)}, {own})")
        db.execute("CREATE TABLE IF NOT EXISTS events (symbol, event, field, old_value, new_value, observed_at)")
        db.execute(f"CREATE TABLE IF NOT EXISTS snapshots (symbol, observed_at, {', '.join(_MARKET)})")
        names = [*fields, "state", "first_seen", "last_seen"]
        updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in ("symbol", "first_seen"))
        upsert = (
            f"INSERT INTO tokens ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "  # noqa: S608 - own names
            f"ON CONFLICT (symbol) DO UPDATE SET {updates}"
        )
        db.execute("CREATE TABLE IF NOT EXISTS responses (observed_at, payload)")
        db.execute("INSERT INTO responses VALUES (?, ?)", [now, text])
        for first in range(0, len(records), batch):
            db.execute("BEGIN")
            for record in records[first : first + batch]:
                Contract.model_validate(record)  # typed, as ours are
                _one(db, record, fields, upsert, now)
            db.execute("COMMIT")
        db.execute("BEGIN")
        for (symbol,) in db.execute("SELECT symbol FROM tokens WHERE last_seen < ? AND state = 1", [now]).fetchall():
            db.execute("INSERT INTO events VALUES (?, 'delisted', 'state', '1', '0', ?)", [symbol, now])
            db.execute("UPDATE tokens SET state = 0 WHERE symbol = ?", [symbol])
        db.execute("COMMIT")
    return {}


def _one(db: sqlite3.Connection, record: dict[str, Any], fields: list[str], upsert: str, now: str) -> None:
    values = [json.dumps(value) if isinstance(value, list) else value for value in map(record.get, fields)]
    old = db.execute("SELECT * FROM tokens WHERE symbol = ?", [record["symbol"]]).fetchone()
    changed: list[tuple[str, str, Any, Any]] = []
    if old is None or not old["state"]:
        changed.append(("listed", "state", None, "1"))
    else:
        changed += [
            ("changed", name, old[name], value)
            for name, value in zip(fields, values, strict=True)
            if name not in _MOVES and old[name] != value
        ]
    for event, name, before, after in changed:
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", [record["symbol"], event, name, before, after, now])
    if old is None or any(old[name] != record[name] for name in _MARKET):
        market = [record[name] for name in _MARKET]
        db.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [record["symbol"], now, *market])
    first_seen = old["first_seen"] if old else now
    db.execute(upsert, [*values, 1, first_seen, now])


METHODS: dict[str, Callable[[str, Path], dict[str, float]]] = {
    "ours": ours,
    "rows": partial(sqlite, batch=1),
    "batches": partial(sqlite, batch=100),
}


def main() -> None:
    name, address, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    folder.mkdir()
    unit = 1 if sys.platform == "darwin" else 1024
    for _ in sys.stdin:
        started = time.perf_counter()
        phases = METHODS[name](address, folder)
        seconds = time.perf_counter() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
        print(json.dumps({"seconds": seconds, "memory": memory, **phases}), flush=True)


if __name__ == "__main__":
    main()
