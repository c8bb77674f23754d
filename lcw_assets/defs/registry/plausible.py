"""May a response delist what it lacks? A half or empty one must not delist the world."""

from __future__ import annotations

from dataclasses import dataclass

from lcw_assets.rounding import percent


@dataclass(frozen=True)
class Limits:
    """Too many contracts gone at once need a confirmation: more than `count`, and more than a `share` of those listed.

    Both, because one limit alone is wrong somewhere: of ten contracts two may go on one day, and of 50,000 thirty.
    """

    share: float = 0.05
    count: int = 3


def doubt(contracts: int, listed: int, missing: int, limits: Limits) -> str | None:
    """Why a response of so many `contracts`, which lacks `missing` of those that are `listed`, is not applied before
    another one confirms it; null if it is applied. One without any contract always needs a confirmation.
    """
    if not missing:
        return None
    share = missing / listed
    if not contracts:
        why = "the response has no contract at all"
    elif missing > limits.count and share > limits.share:
        why = (
            f"over LCW_REGISTRY_MAX_DELISTED_COUNT={limits.count} and LCW_REGISTRY_MAX_DELISTED_SHARE={limits.share:g}"
        )
    else:
        return None
    return (
        f"{missing} of {listed} listed contracts ({percent(share)}) are missing: {why}. "
        "The last good state is kept, until a second response lacks the same"
    )
