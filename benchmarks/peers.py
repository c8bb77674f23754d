"""The same work by others, against a server that answers at once: 14 calls, 1,000 coins, merged into DuckDB.

`pip install -e '.[bench]' && python -m benchmarks.peers [cycles]`. dlt fetches in parallel and merges by primary key;
the sequential fetcher asks one call after another over one session and upserts with executemany. Each in turn, in this
process; the first cycle of each, which makes the tables, is not counted.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import requests

from benchmarks.cycle import CALLS, ours
from benchmarks.market import market
from benchmarks.report import table


def by_dlt(address: str, folder: Path) -> float:
    import dlt

    def fetch(call: Any) -> Any:
        return requests.post(f"{address}/{call.endpoint}", json=call.request, timeout=30).json()

    @dlt.resource(name="calls", selected=False)
    def calls() -> Iterator[Any]:
        yield from CALLS

    def part(name: str, key: str | None) -> Any:
        @dlt.transformer(
            data_from=calls, name=name, write_disposition="merge" if key else "append", primary_key=key or ()
        )
        def responses(call: Any) -> Iterator[Any]:
            if call.part == name:
                yield dlt.defer(fetch)(call)

        return responses

    started = time.perf_counter()
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="market",
    )
    keys = {"coins": "code", "exchanges": "code", "overview": None, "status": None, "credits": None}
    pipeline.run([part(name, key) for name, key in keys.items()])
    return time.perf_counter() - started


def one_after_another(address: str, folder: Path) -> float:
    started = time.perf_counter()
    with requests.Session() as session:
        responses = [
            (call.part, session.post(f"{address}/{call.endpoint}", json=call.request, timeout=30).json())
            for call in CALLS
        ]
    rows = [
        [part, entry["code"], entry["rate"] if part == "coins" else None, entry["volume"], json.dumps(entry)]
        for part, response in responses
        if part in ("coins", "exchanges")
        for entry in response
    ]
    with duckdb.connect(str(folder / "sequential.duckdb")) as db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS latest (part VARCHAR, code VARCHAR, rate DOUBLE, volume DOUBLE, raw JSON, "
            "PRIMARY KEY (part, code))"
        )
        db.execute("BEGIN")
        db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    return time.perf_counter() - started


def main() -> None:
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    seconds: dict[str, list[float]] = {"ours": [], "dlt": [], "one after another": []}
    with tempfile.TemporaryDirectory() as name, market(cycles + 1) as server:
        folder = Path(name)
        for number in range(cycles + 1):
            took = (
                sum(ours(server.address, folder, number)),
                by_dlt(server.address, folder),
                one_after_another(server.address, folder),
            )
            server.next_minute()
            if number:
                for values, value in zip(seconds.values(), took, strict=True):
                    values.append(value)
    print(table("14 calls and 1,000 coins, in-process", seconds, budget="the others at least 4 times ours"))


if __name__ == "__main__":
    main()
