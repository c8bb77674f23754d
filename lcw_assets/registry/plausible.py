"""May an answer delist what it lacks? A half or empty one must not delist the world."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is too much to be gone at once, unconfirmed: more than `count` listed contracts, and more than a `share`.

    Both, because either alone is wrong somewhere: of ten contracts two may go on one day, and of 50,000 so may 30.
    """

    share: float = 0.05
    count: int = 3


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
    it lacks the very same contracts: two halves that were cut in different places say nothing together. An answer
    without any contract is doubted whatever the limits.
    """
    if not answer.missing or answer.digest == held_digest:
        return None
    share = answer.missing / answer.listed
    if not answer.contracts:
        why = "the answer has no contract at all"
    elif answer.missing > limits.count and share > limits.share:
        why = (
            f"over LCW_REGISTRY_MAX_DELISTED_COUNT={limits.count} and LCW_REGISTRY_MAX_DELISTED_SHARE={limits.share:g}"
        )
    else:
        return None
    return (
        f"{answer.missing} of {answer.listed} listed contracts ({100 * share:.0f} %) are missing: {why}. "
        "The last good state is kept, until a second answer lacks the same"
    )
