"""Gaps: what is missing, found in tables that are there."""

from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from typing import Any

import dagster as dg

from lcw_assets import escape
from lcw_assets.defs.history.checks import gaps_check, gaps_result
from lcw_assets.defs.history.series import SERIES
from lcw_assets.orchestration.database import database
from lcw_assets.orchestration.table import derived_spec
from lcw_assets.settings import SettingsError, load_settings


@dg.multi_asset(
    name="gaps",
    specs=[
        derived_spec(
            "ops/gaps",
            "What is missing: minutes without a cycle, days of the history that was begun, coins that stopped. The "
            "sensor `fill_gaps` backfills what can still be had, LCW_GAP_CREDITS a day.",
            "ops/cycles",
            "market/coins",
            *(f"history/{name}" for name in SERIES),
        )
    ],
    check_specs=[gaps_check()],
    required_resource_keys={"warehouse"},
)
def gaps(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    from lcw_assets.defs.history.covered import read_top
    from lcw_assets.defs.history.gaps import find_gaps, store_gaps
    from lcw_assets.defs.history.tracked import TrackedError, read_tracked

    now = datetime.now(timezone.utc)
    try:
        settings = load_settings()
        with database(context, read_only=True) as db:
            try:
                codes = read_tracked(settings.tracked_coins, partial(read_top, db, settings.currency, now))
            except TrackedError as error:
                context.log.warning(f"gaps of coins are not looked for: {error}")
                codes = []
            found = find_gaps(db, codes, settings.currency, now)
        with database(context) as db:
            store_gaps(db, found, now)
    except SettingsError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    lines = ["| what | from | to | |", "|---|---|---|---|"]
    lines += [
        f"| {escape.cell(gap.subject)} | {gap.span.start:%Y-%m-%d %H:%M} | {gap.span.end:%Y-%m-%d %H:%M} | "
        f"{escape.cell(gap.detail)} |"
        for gap in found[:20]
    ]
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(found),
            "calls_to_fill": sum(gap.calls for gap in found),
            "newest": dg.MetadataValue.md("\n".join(lines) if found else "Nothing is missing."),
        },
        check_results=[gaps_result(found)],
    )
