"""The checks of the steps that fill history and find gaps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets import escape

if TYPE_CHECKING:
    from lcw_assets.defs.history.gaps import Gap

GAPS_CHECK = dg.AssetCheckSpec(
    "no_gaps",
    asset=["ops", "gaps"],
    description="No minute of the last seven days without a cycle, no missing day of a history that was begun.",
)


def history_check(series: str) -> dg.AssetCheckSpec:
    text = "Complete: every request for these days has a response, no coin is unknown, none waits for credits."
    return dg.AssetCheckSpec("all_answered", asset=["history", series], description=text)


def history_result(series: str, unknown: Sequence[str], why: str) -> dg.AssetCheckResult:
    """`why` it is not complete, besides codes that Live Coin Watch does not know."""
    wrong = [escape.markdown(why)] if why else []
    if unknown:
        coins = escape.some(sorted(unknown), escape.markdown)
        wrong.append(f"Live Coin Watch knows no coin {coins}: see LCW_TRACKED_COINS")
    return _warning(history_check(series), "; ".join(wrong), {"unknown_coins": len(unknown)})


def gaps_result(gaps: "Sequence[Gap]") -> dg.AssetCheckResult:
    """A coin that stopped is not our gap: it is in the table, and fails no check."""
    ours = [gap for gap in gaps if gap.kind != "coin"]
    each = [f"{gap.subject} from {gap.span.start:%Y-%m-%d %H:%M} ({gap.detail})" for gap in ours]
    text = f"{len(ours)} gaps: {escape.some(each, escape.markdown)}" if ours else ""
    return _warning(GAPS_CHECK, text, {"gaps": len(ours), "calls_to_fill": sum(gap.calls for gap in ours)})


def _warning(check: dg.AssetCheckSpec, wrong: str, numbers: dict[str, int]) -> dg.AssetCheckResult:
    key, severity = check.key, dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        passed=not wrong, asset_key=key.asset_key, check_name=key.name, severity=severity,
        description=wrong or None, metadata=numbers,
    )  # fmt: skip
