"""Runs `quote_prices` in children that are killed: a run of a tick so many seconds ago as `TICK_S_AGO` says."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

import dagster as dg

import lcw_assets.defs.prices.load
import lcw_assets.ingest.runner
import lcw_assets.orchestration.warehouse
import lcw_assets.simulator.server  # noqa: F401 - imported before forking: a kill then falls into the rounds themselves
from lcw_assets.definitions import defs
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG
from lcw_assets_tests.child_processes import raise_children


def main() -> None:
    job = defs().resolve_job_def("quote_prices")
    with dg.DagsterInstance.ephemeral():
        pass  # the first one imports what makes databases

    def run() -> None:
        tick = datetime.now(timezone.utc) - timedelta(seconds=float(os.environ["TICK_S_AGO"]))
        with dg.DagsterInstance.ephemeral() as instance:
            tags = {SCHEDULED_AT_TAG: tick.isoformat()}
            job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)

    raise_children(run)


if __name__ == "__main__":
    main()
