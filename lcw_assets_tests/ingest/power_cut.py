"""Runs a cycle, a sync and a backfill. At each opening of the database: would a power cut cost a response now?

`python -m lcw_assets_tests.ingest.power_cut` prints a line of JSON for each file that waited at an opening: its
folder, whether all of it had been synced, and whether its name had. A process cannot see what a disk has; it can see
what it was told to keep, and in which order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from lcw_assets.definitions import defs
from lcw_assets.ingest.spool import Spool

JOBS: dict[str, dict[str, str]] = {
    "fetch_cycle": {},
    "token_registry_sync": {},
    "backfill_overview_daily": {"dagster/partition": "2025-12-31"},
}


class Disk:
    """What was asked to be kept: of a file how much of it, of a folder which names."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[int, int], int] = {}
        self._names: dict[tuple[int, int], set[str]] = {}

    def watch(self, fsync: Callable[[int], None]) -> Callable[[int], None]:
        def watched(fd: int) -> None:
            fsync(fd)
            status = os.fstat(fd)
            if os.path.isdir(fd):  # noqa: PTH112 - of a descriptor
                self._names[status.st_dev, status.st_ino] = set(os.listdir(fd))
            else:
                self._sizes[status.st_dev, status.st_ino] = status.st_size

        return watched

    def has_content(self, file: Path) -> bool:
        status = file.stat()
        return self._sizes.get((status.st_dev, status.st_ino)) == status.st_size

    def has_name(self, file: Path) -> bool:
        status = file.parent.stat()
        return file.name in self._names.get((status.st_dev, status.st_ino), set())


def main() -> None:
    disk = Disk()
    os.fsync = disk.watch(os.fsync)  # type: ignore[assignment]
    connect = duckdb.connect

    def opened(*arguments: Any, **options: Any) -> Any:
        for folder in sorted(Path(os.environ["LCW_DATA_DIR"], "spool").iterdir()):
            for file in Spool(folder).pending():
                seen = {"folder": folder.name, "content": disk.has_content(file), "name": disk.has_name(file)}
                print(json.dumps(seen), flush=True)  # noqa: T201 - this is what the test reads
        return connect(*arguments, **options)

    duckdb.connect = opened
    with dg.DagsterInstance.ephemeral() as instance:
        for name, tags in JOBS.items():
            defs().resolve_job_def(name).execute_in_process(instance=instance, tags=tags)


if __name__ == "__main__":
    main()
