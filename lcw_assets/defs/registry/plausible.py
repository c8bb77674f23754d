"""May an answer delist what it lacks? A half or empty one must not delist the world."""

from __future__ import annotations

from dataclasses import dataclass

from lcw_assets.rounding import percent


@dataclass(frozen=True)
class Limits:
    """What is too much to be gone at once, unconfirmed: more than `count` listed contracts, and more than a `share`.

    Both, because either alone is wrong somewhere: of ten contracts two may go on one day, and of 50,000 so may 30.
    """

    share: float = 0.05
    count: int = 3


def doubt(contracts: int, listed: int, missing: int, limits: Limits) -> str | None:
    """Why an answer of so many `contracts`, which lacks `missing` of those that are `listed`, is not to be applied
    before another one says the same; null if it is. One without any contract is doubted whatever the limits.
    """
    if not missing:
        return None
    share = missing / listed
    if not contracts:
        why = "the answer has no contract at all"
    elif missing > limits.count and share > limits.share:
        why = (
            f"over LCW_REGISTRY_MAX_DELISTED_COUNT={limits.count} and LCW_REGISTRY_MAX_DELISTED_SHARE={limits.share:g}"
        )
    else:
        return None
    return (
        f"{missing} of {listed} listed contracts ({percent(share)}) are missing: {why}. "
        "The last good state is kept, until a second answer lacks the same"
    )
