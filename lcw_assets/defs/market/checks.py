"""What is checked of every cycle, within the steps that make it: a check of its own step would cost a second."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets import escape
from lcw_assets.ingest.run_clock import PERIOD
from lcw_assets.rounding import rounded, seconds

if TYPE_CHECKING:
    from lcw_assets.defs.market.store import StoredCycle, TableState
    from lcw_assets.ingest.fetch import Pulled

# Two cycles: one may come to nothing, and the next is on its way.
_STALE_AFTER_S = 2 * PERIOD.total_seconds()

# Rows of `overview_ticks` are changes, and a market that stands still has none: what counts is the latest answer.
_FRESH = {
    "market/coins": "The latest values are not older than two cycles.",
    "market/exchanges": "The latest values are not older than two cycles.",
    "market/overview_ticks": "The whole market was answered for within the last two cycles, changed or not.",
}


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
        _spec("keys_unique", "market/exchanges", "No two rows have the same code and currency."),
        _spec("values_in_range", "market/exchanges", "No amount is below zero."),
        *(_spec("fresh", asset, description) for asset, description in _FRESH.items()),
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
            metadata={"credits_left": left, "cycles_left_today": cycles},
        )
    ]


def store_results(cycle: "StoredCycle", tables: "Mapping[str, TableState]", now: datetime) -> list[dg.AssetCheckResult]:
    """Every check of a stored cycle. A failed one warns: it says something of the data, and stops nothing."""
    pages = cycle.pages
    return [
        *_row_results("market/coins", tables["market.coins"]),
        *_row_results("market/exchanges", tables["market.exchanges"]),
        _result(
            "market/coins",
            "no_gap_or_repeat",
            [*(f"rank {rank}" for rank in pages.absent_ranks), *pages.repeated],
            f"{pages.absent} coins fell between pages and {len(pages.repeated)} stood in two",
            {"received": pages.received, "absent": pages.absent, "repeated": len(pages.repeated)},
        ),
        *failed_results(cycle, tables, now),
    ]


def failed_results(
    cycle: "StoredCycle", tables: "Mapping[str, TableState]", now: datetime
) -> Iterator[dg.AssetCheckResult]:
    """What there is to say of a cycle also if nothing came."""
    yield _result("ops/cycles", "complete", cycle.row["missing"], f"{cycle.row['status']} cycle, missing")
    for asset in _FRESH:
        yield _fresh_result(asset, tables[asset.replace("/", ".")], now)


def _fresh_result(asset: str, table: "TableState", now: datetime) -> dg.AssetCheckResult:
    """Rows beyond this machine's clock are not believed: it was ahead when they came, or it is behind now."""
    if table.confirmed_at is None:
        wrong = "no answer of the last day, by this machine's clock" if table.rows else "nothing was ever answered"
        return _result(asset, "fresh", [wrong], "not fresh")
    age_s = max(0.0, (now - table.confirmed_at).total_seconds())
    stale = [seconds(age_s)] if age_s > _STALE_AFTER_S else []
    return _result(
        asset, "fresh", stale, f"the latest answer is over {_STALE_AFTER_S:g} s old", {"age_s": rounded(age_s)}
    )


def _row_results(asset: str, table: "TableState") -> list[dg.AssetCheckResult]:
    return [
        _result(asset, "keys_unique", ["duplicates"] * table.duplicates, f"{table.duplicates} rows too many"),
        _result(asset, "values_in_range", table.negative, f"{len(table.negative)} rows have values below zero"),
    ]


def _result(
    asset: str, name: str, wrong: Sequence[str], meaning: str, metadata: Mapping[str, float] | None = None
) -> dg.AssetCheckResult:
    """Passed if nothing is wrong; otherwise `meaning`, and the first ten of what is."""
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset.split("/"),
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{meaning}: {escape.some(wrong, escape.markdown)}" if wrong else None,
        metadata=metadata or {},
    )
