"""Loads the definitions, runs a job once, and prints what came of it as JSON: `python -m` this module, and the job."""

from __future__ import annotations

import json
import sys

import dagster as dg

from lcw_assets.definitions import defs

definitions = defs()
job = definitions.resolve_job_def(sys.argv[1])
with dg.DagsterInstance.ephemeral() as instance:
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    repository = definitions.get_repository_def()
    checks = result.get_asset_check_evaluations()
    print(  # noqa: T201 - for the test
        json.dumps(
            {
                "success": result.success,
                "max_runtime": job.tags["dagster/max_runtime"],
                "schedules": {one.name: one.cron_schedule for one in repository.schedule_defs},
                "checks": {f"{one.asset_key.to_user_string()}:{one.check_name}": one.passed for one in checks},
                "metadata": {
                    event.asset_key.to_user_string(): {
                        name: value.value for name, value in event.materialization.metadata.items()
                    }
                    for event in result.all_events
                    if event.is_step_materialization and event.asset_key
                },
            }
        )
    )
