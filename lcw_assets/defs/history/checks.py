"""What is checked of a backfill, of bars and of gaps, within the steps that make them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets import escape

if TYPE_CHECKING:
    from lcw_assets.defs.history.gaps import Gap


def history_check(series: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        "all_answered",
        asset=["history", series],
        description="Every tracked coin was answered for these days: none is unknown, none waits for credits.",
    )


def gaps_check() -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        "no_gaps",
        asset=["ops", "gaps"],
        description="A cycle in every minute of the last seven days, and every day of the history that was begun.",
    )


def history_result(series: str, unknown: Iterable[str], why: str) -> dg.AssetCheckResult:
    """`why` it was not all answered, besides coins that Live Coin Watch does not know."""
    coins = sorted(unknown)
    wrong = [escape.markdown(why)] if why else []
    if coins:
        wrong += [f"Live Coin Watch knows no coin {escape.some(coins, escape.markdown)}: see LCW_TRACKED_COINS"]
    return dg.AssetCheckResult(
        check_name="all_answered",
        asset_key=["history", series],
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(wrong) or None,
        metadata={"unknown_coins": len(coins)},
    )


def gaps_result(gaps: "Sequence[Gap]") -> dg.AssetCheckResult:
    """A coin that stopped is no gap of ours: it is in the table, and breaks nothing."""
    ours = [gap for gap in gaps if gap.kind != "coin"]
    each = [f"{gap.subject} from {gap.span.start:%Y-%m-%d %H:%M} ({gap.detail})" for gap in ours]
    return dg.AssetCheckResult(
        check_name="no_gaps",
        asset_key=["ops", "gaps"],
        passed=not ours,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(ours)} gaps: {escape.some(each, escape.markdown)}" if ours else None,
        metadata={"gaps": len(ours), "calls_to_fill": sum(gap.calls for gap in ours)},
    )
