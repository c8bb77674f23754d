"""The series of history, their backfills and gaps, as Dagster definitions."""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from lcw_assets.defs.history import sensors
from lcw_assets.defs.history.checks import GAPS_CHECK, gaps_result, history_check, history_result
from lcw_assets.defs.history.series import FIRST, SERIES, Series
from lcw_assets.orchestration import backfills as by_day
from lcw_assets.orchestration.database import database, failure
from lcw_assets.orchestration.jobs import guarded_schedule, one_process_job
from lcw_assets.orchestration.run_settings import run_settings
from lcw_assets.orchestration.table import derived_spec, table_spec
from lcw_assets.sources.lcw.spec import SOURCE

DAYS = by_day.Days(start_date=f"{FIRST:%Y-%m-%d}", timezone="UTC")

# Plain types. In a `dg.Config`, a text may be `{"env": "LCW_API_KEY"}` as well: a user who launches runs in the
# UI could have the key requested as a coin, and read it in the log.
_TEXT = dg.Noneable(str)
SCHEMA = {
    "dry_run": dg.Field(bool, False, description="Say what would be requested and its cost, and request nothing."),
    "refresh": dg.Field(bool, False, description="Request again what was requested before, to see what was restated."),
    "refreshed_since": dg.Field(_TEXT, None, description="What was requested since then is not requested again."),
    "begins": dg.Field(bool, True, description="From here on, keep the series up to date."),
    "coins": dg.Field(_TEXT, None, description="Other coins than LCW_TRACKED_COINS: BTC ETH, or the largest: top:100."),
}


def _history(series: Series) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=series.name,
        # Skippable: for days that credits did not last for.
        specs=[table_spec(f"history/{series.name}", series.description, skippable=True, partitions_def=DAYS)],
        check_specs=[history_check(series.name)],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        config_schema=SCHEMA,
        can_subset=True,  # so that a dry run may say nothing of the check either
        required_resource_keys={"warehouse"},
    )
    def materialize(context: dg.AssetExecutionContext) -> by_day.Results:
        from lcw_assets.defs.history import runs

        by_day.join_runs(context)
        days, settings = by_day.chosen_days(context), run_settings(context, SOURCE)
        try:
            run = runs.run_backfill(
                series,
                days,
                context.op_execution_context.op_config,
                settings,
                context.run.run_id,
                context.resources.warehouse.get_connection,
                by_day.Report(context),
            )
        except runs.ERRORS as error:
            raise failure(error, runs.waiting(error, settings)) from None
        if run is not None:
            yield from by_day.results(context, run, history_result(series.name, run.unknown, run.result.why))

    return materialize


histories = [_history(series) for series in SERIES.values()]


@dg.multi_asset(
    name="gaps",
    specs=[
        derived_spec(
            "ops/gaps",
            "What is missing: minutes without a cycle, days of the history that was begun, coins that stopped. The "
            "sensor `fill_gaps` backfills what can still be had, LCW_GAP_CREDITS a day.",
            *("ops/cycles", "market/coins", *(f"history/{name}" for name in SERIES)),
        )
    ],
    check_specs=[GAPS_CHECK],
    required_resource_keys={"warehouse"},
)
def gaps(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    from lcw_assets.defs.history import gaps

    settings, now = run_settings(context), datetime.now(timezone.utc)
    with database(context, read_only=True) as db:
        found = gaps.find_tracked_gaps(db, settings, now, context.log.warning)
    with database(context) as db:
        gaps.store_gaps(db, found, now)
    numbers = {"dagster/row_count": len(found), "calls_to_fill": sum(gap.calls for gap in found)}
    newest = {"newest": dg.MetadataValue.md(gaps.as_markdown(found))}
    yield dg.MaterializeResult(metadata={**numbers, **newest}, check_results=[gaps_result(found)])


# One backfill at a time: the others wait in the queue for this tag (see dagster.yaml), where they cost nothing.
backfills = [by_day.backfill_job(name, f"history/{name}", {"lcw/history": name}) for name in SERIES]
resume_backfills = by_day.resume_sensor(backfills, SERIES, SCHEMA, SOURCE)
fill_gaps = by_day.running_sensor(sensors.fill_gaps, backfills, SOURCE, every_s=300)

derive = one_process_job(
    "derive",
    *("market/coin_bars", "ops/gaps"),
    description="Build bars and checkpoints from the newest ticks, and look for gaps.",
    max_runtime_s=4200,  # it takes seconds, and waits up to an hour for an open database
)
derive_every_ten_minutes = guarded_schedule(
    "derive_every_ten_minutes",
    derive,
    "4-59/10 * * * *",  # beside every tenth cycle, and off the full minute, when cycles store
    "Every ten minutes, unless the run before still waits for the database.",
)
