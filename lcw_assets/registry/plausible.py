"""May an answer delist what it lacks? A half or empty one must not delist the world."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How many listed contracts an answer may lack, and what share of them, without being confirmed by another one."""

    share: float = 0.2
    count: int = 20


@dataclass(frozen=True)
class Missing:
    """What an answer lacks. `digest` stands for the names."""

    contracts: int
    listed: int
    missing: int
    digest: str | None


def doubt(answer: Missing, limits: Limits, held_digest: str | None) -> str | None:
    """Why the answer is not to be applied, in words; null if it is.

    `held_digest` is that of the answer before, if that one was held. A second answer counts as a confirmation only if
    it lacks the very same contracts: two halves that were cut in different places say nothing together. One contract
    alone is never a matter of its share: of two, it is a half.
    """
    if not answer.missing or answer.digest == held_digest:
        return None
    share = answer.missing / answer.listed
    if not answer.contracts:
        why = "the answer has no contract at all"
    elif answer.missing > limits.count:
        why = f"more than LCW_REGISTRY_MAX_DELISTED_COUNT={limits.count}"
    elif answer.missing > 1 and share > limits.share:
        why = f"more than LCW_REGISTRY_MAX_DELISTED_SHARE={limits.share:g}"
    else:
        return None
    return (
        f"{answer.missing} of {answer.listed} listed contracts ({100 * share:.0f} %) are missing: {why}. "
        "The last good state is kept, until a second answer lacks the same"
    )
