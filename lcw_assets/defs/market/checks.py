"""What is checked of every cycle, within the steps that make it: a check of its own step would cost a second."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets.cycle.clock import PERIOD

if TYPE_CHECKING:
    from lcw_assets.cycle.pull import Pulled
    from lcw_assets.cycle.store import StoredCycle, TableState
    from lcw_assets.warehouse.tables import Merged

_NAMED = 10


def _spec(name: str, asset: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset.split("/"), description=description)


def pull_checks() -> list[dg.AssetCheckSpec]:
    return [
        _spec("enough_for_today", "raw/credits", "At a cycle a minute, the credits last until 00:00 UTC."),
    ]


def store_checks() -> list[dg.AssetCheckSpec]:
    return [
        _spec("keys_unique", "market/coins", "No two rows have the same code and currency."),
        _spec("no_gap_or_repeat", "market/coins", "No rank fell between two pages, and no coin stood in two of them."),
        _spec("values_in_range", "market/coins", "No price, volume, cap, supply, multiplier or rank is below zero."),
        _spec("fresh", "market/coins", "The latest values are not older than two cycles."),
        _spec("keys_unique", "market/exchanges", "No two rows have the same code and currency."),
        _spec("values_in_range", "market/exchanges", "No amount is below zero."),
        _spec("fresh", "market/exchanges", "The latest values are not older than two cycles."),
        _spec("values_in_range", "market/overview_ticks", "No amount is below zero."),
        _spec("complete", "ops/cycles", "Every call of the cycle was answered."),
    ]


def pull_results(pulled: "Pulled", calls: int, now: datetime) -> list[dg.AssetCheckResult]:
    """`calls` is what a cycle asks for. Nothing is said of credits when LCW did not say how many there are."""
    if pulled.credits is None:
        return []
    left, limit = pulled.credits.remaining, pulled.credits.limit
    cost = calls - 1  # `status` is free
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    cycles = int((midnight - now) / PERIOD)
    enough = left >= cost * cycles
    return [
        dg.AssetCheckResult(
            check_name="enough_for_today",
            asset_key=["raw", "credits"],
            passed=enough,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{left:,} of {limit:,} credits are left; {cycles:,} cycles of {cost} calls until 00:00 UTC "
            + (
                "need no more" if enough else f"need {cost * cycles:,}: lower LCW_COINS, or run the schedule less often"
            ),
            metadata={"credits_left": left, "credits_limit": limit, "cycles_left_today": cycles, "cost": cost},
        )
    ]


def store_results(cycle: "StoredCycle", tables: "Mapping[str, TableState]", now: datetime) -> list[dg.AssetCheckResult]:
    """Every check of a stored cycle. A failed one warns: it says something of the data, and stops nothing."""
    pages = cycle.pages
    return [
        *_latest_results("market/coins", tables["market.coins"], cycle.merged["market.coins"], now),
        *_latest_results("market/exchanges", tables["market.exchanges"], cycle.merged["market.exchanges"], now),
        _result(
            "market/overview_ticks",
            "values_in_range",
            cycle.merged["market.overview_ticks"].negative,
            "values below zero",
        ),
        _result(
            "market/coins",
            "no_gap_or_repeat",
            [*(f"rank {rank}" for rank in pages.absent), *pages.repeated],
            f"{len(pages.absent)} coins fell between pages and {len(pages.repeated)} stood in two",
            {"received": pages.received, "absent": len(pages.absent), "repeated": len(pages.repeated)},
        ),
        _result("ops/cycles", "complete", cycle.row["missing"], f"{cycle.row['status']} cycle, missing"),
    ]


def _latest_results(asset: str, table: "TableState", merged: "Merged", now: datetime) -> list[dg.AssetCheckResult]:
    age_s = (now - table.newest).total_seconds() if table.newest else None
    limit_s = 2 * PERIOD.total_seconds()
    old = [] if age_s is not None and age_s <= limit_s else [f"{age_s:.0f} s old" if age_s else "no rows"]
    return [
        _result(asset, "keys_unique", ["rows"] * table.duplicates, f"{table.duplicates} rows too many"),
        _result(asset, "values_in_range", merged.negative, f"{len(merged.negative)} rows have values below zero"),
        _result(
            asset, "fresh", old, f"the newest row should not be older than {limit_s:.0f} s", {"age_s": age_s or 0.0}
        ),
    ]


def _result(
    asset: str, name: str, wrong: Sequence[str], meaning: str, metadata: Mapping[str, float] | None = None
) -> dg.AssetCheckResult:
    """Passed if nothing is wrong; otherwise `meaning`, and the first ten of what is."""
    named = ", ".join(wrong[:_NAMED]) + (f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else "")
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset.split("/"),
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{meaning}: {named}" if wrong else None,
        metadata={"wrong": len(wrong), **(metadata or {})},
    )
