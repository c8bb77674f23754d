"""Runs a job in children that are killed: `python -m` this module, the job, and the concept that it belongs to."""

from __future__ import annotations

import sys
from importlib import import_module

import dagster as dg

import lcw_assets.ingest.runner
import lcw_assets.orchestration.warehouse  # noqa: F401 - imported before forking: importing Dagster takes over a second
from lcw_assets.definitions import defs
from lcw_assets_tests.child_processes import raise_children


def main(job_name: str, concept: str) -> None:
    import_module(f"lcw_assets.defs.{concept}.load")
    job = defs().resolve_job_def(job_name)
    with dg.DagsterInstance.ephemeral():
        pass  # the first one imports what makes databases

    def run() -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            job.execute_in_process(instance=instance, raise_on_error=False)

    raise_children(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
