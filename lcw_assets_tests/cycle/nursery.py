"""Runs the job `fetch_cycle` in one child process after the other, and kills them when it is told to.

Each line on standard input is one cycle: the seconds after which it is killed, or `never`. When its process has ended,
`ended` is printed. Children are forked from here, because importing Dagster takes over a second and touches nothing:
this way every kill falls into the cycle itself.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import dagster as dg

import lcw_assets.cycle.store
import lcw_assets.resources.warehouse
import lcw_assets.transport.client  # noqa: F401 - imported before forking
from lcw_assets.definitions import defs


def main() -> None:
    job = defs().resolve_job_def("fetch_cycle")
    with dg.DagsterInstance.ephemeral():
        pass  # the first one imports what makes databases
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            with dg.DagsterInstance.ephemeral() as instance:
                job.execute_in_process(instance=instance, raise_on_error=False)
            os._exit(0)
        if line.strip() != "never":
            time.sleep(float(line))
            os.kill(child, signal.SIGKILL)  # it is not reaped yet, so its id is nobody else's
        os.waitpid(child, 0)
        print("ended", flush=True)  # noqa: T201 - this is what the test waits for


if __name__ == "__main__":
    main()
