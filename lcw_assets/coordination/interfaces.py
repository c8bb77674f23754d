"""What callers know of what is shared, kept by the kernel of one machine or by a store for several machines."""

from __future__ import annotations

from typing import Protocol


class Limiter(Protocol):
    """A rate that all callers of a source share."""

    def take(self) -> float:
        """Acquire a place and return 0; or acquire none and return the seconds after which to try again."""

    def pause(self, seconds: float) -> None:
        """The server wants no calls for so long."""


class Budget(Protocol):
    """Credits of a day that all callers of a source share. `left` is null if unknown."""

    reserve: int

    @property
    def left(self) -> int | None: ...

    @property
    def exhausted(self) -> bool: ...

    def update(self, left: int) -> None:
        """What the API reports, minus the calls in flight."""

    def spend(self, credits_: int = 1) -> bool:
        """Take credits for calls. False if so many may not be spent."""

    def save(self) -> None:
        """Keep the last known number for later runs."""

    def why(self) -> str:
        """How many are left, and how many are kept."""
