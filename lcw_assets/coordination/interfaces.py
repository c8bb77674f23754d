"""What callers know of what is shared, whoever keeps it: the kernel of one machine, or a store for several."""

from __future__ import annotations

from typing import Protocol


class Limiter(Protocol):
    """A rate that all callers of a source share."""

    def take(self) -> float:
        """Take a place, and give 0; or give the seconds after which to ask again, with none taken."""

    def pause(self, seconds: float) -> None:
        """The server wants nobody to ask for so long."""


class Budget(Protocol):
    """Credits of a day that all callers of a source share. `left` is null where nobody knows."""

    reserve: int

    @property
    def left(self) -> int | None: ...

    @property
    def exhausted(self) -> bool: ...

    def update(self, left: int) -> None:
        """What the API says is left, less what is on its way."""

    def spend(self, credits_: int = 1) -> bool:
        """Take credits for calls. False if so many may not be spent."""

    def save(self) -> None:
        """For the runs that come after this one."""

    def why(self) -> str:
        """How many are left, and how many are kept."""
