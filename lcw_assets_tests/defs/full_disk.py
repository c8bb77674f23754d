"""Runs a job on a disk on which no file gets larger than so many bytes, and says how it failed.

    python -m lcw_assets_tests.defs.full_disk <job> <bytes> <tags as JSON>

The limit of the process does what a full disk does to whoever writes, and needs no rights.
"""

from __future__ import annotations

import json
import resource
import sys

import dagster as dg

from lcw_assets.definitions import defs


def main() -> None:
    job, size, tags = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    resolved = defs().resolve_job_def(job)
    with dg.DagsterInstance.ephemeral() as instance:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        result = resolved.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            print(json.dumps([error.cls_name, error.message] if error else None))  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
