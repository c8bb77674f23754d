"""Runs the job `fetch_cycle` in children that are killed: `python -m lcw_assets_tests.defs.market.child_processes`."""

from __future__ import annotations

import dagster as dg

import lcw_assets.defs.market.load
import lcw_assets.orchestration.warehouse
import lcw_assets.transport.client  # noqa: F401 - imported before forking: importing Dagster takes over a second
from lcw_assets.definitions import defs
from lcw_assets_tests.child_processes import raise_children


def main() -> None:
    job = defs().resolve_job_def("fetch_cycle")
    with dg.DagsterInstance.ephemeral():
        pass  # the first one imports what makes databases

    def run() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            job.execute_in_process(instance=instance, raise_on_error=False)

    raise_children(run)


if __name__ == "__main__":
    main()
