"""From a load's declaration to its Dagster definitions: assets, checks, a job and its schedule.

What a run does is in `runner.py`, which only runs import.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

import dagster as dg

from lcw_assets.ingest.declaration import Check, LoadDeclaration
from lcw_assets.ingest.step import Event, ExtraChecks, Step
from lcw_assets.orchestration.guard import run_unless_running
from lcw_assets.orchestration.interrupts import not_retried_when_interrupted
from lcw_assets.orchestration.table import table_spec


def load_definitions(declaration: LoadDeclaration, extra: Sequence[ExtraChecks] = ()) -> dg.Definitions:
    """The Dagster definitions of a load; `extra` are checks that other concepts add to it."""
    specs = _specs(declaration)
    extra = [one for one in extra if one.job == declaration.job]

    # For unexpected errors. Expected ones (the API's errors, a locked or broken database, a full disk) are tried
    # again where that helps, within the load's deadline: by the transport, and by the next load.
    @dg.multi_asset(
        name=declaration.step,
        specs=specs,
        check_specs=[*_check_specs(declaration), *(spec for one in extra for spec in one.specs())],
        can_subset=True,  # so that a load that finds the database locked may say nothing of the tables
        retry_policy=dg.RetryPolicy(max_retries=1, delay=1.0, jitter=dg.Jitter.PLUS_MINUS),
        required_resource_keys={"warehouse"},  # by name: the warehouse's type would bring DuckDB along
    )
    def step(context: dg.AssetExecutionContext) -> Iterator[Event]:
        with not_retried_when_interrupted():
            yield from Step(context, declaration, extra).run()

    job = dg.define_asset_job(
        declaration.job,
        selection=dg.AssetSelection.assets(*(spec.key for spec in specs)),
        description=declaration.description,
        # A process a step, Dagster's default, costs over a second each.
        executor_def=dg.in_process_executor,
        config={"loggers": {"console": {}}},  # without this, Dagster's own console logger is used, at DEBUG
        # What still runs then is not a load any more, and while it runs the schedule skips. Where runs queue, as when
        # several begin on the same tick, the higher priority goes first.
        tags={"dagster/max_runtime": str(declaration.max_runtime_s), "dagster/priority": str(declaration.priority)},
    )

    @dg.schedule(
        name=declaration.schedule or declaration.job,
        job=job,
        cron_schedule=declaration.cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every minute, unless the run before is still going on."
        if declaration.cron == "* * * * *"
        else f"At {declaration.cron}, unless the run before is still going on.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return run_unless_running(context, declaration.job, declaration.source)

    return dg.Definitions(assets=[step], jobs=[job], schedules=[schedule])


def _specs(declaration: LoadDeclaration) -> list[dg.AssetSpec]:
    stale = timedelta(seconds=declaration.stale_after_s)
    freshness = dg.FreshnessPolicy.time_window(fail_window=2.5 * stale, warn_window=stale)
    spec = partial(table_spec, freshness=freshness)
    return [
        *(
            spec(f"raw/{part}", description, table="raw.pulls", place=declaration.place)
            for part, description in declaration.raw.items()
        ),
        *(spec(table.key, table.description, *table.deps, place=table.place) for table in declaration.stored),
    ]


def _check_specs(declaration: LoadDeclaration) -> list[dg.AssetCheckSpec]:
    checks: list[Check] = [*declaration.standard_checks(), *declaration.checks]
    return [dg.AssetCheckSpec(one.name, asset=one.asset.split("/"), description=one.description) for one in checks]
