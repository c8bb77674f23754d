"""What a call is: what to ask, and where it leaves what must not be lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Attempt, Response

T = TypeVar("T")

# Bytes of a body, where a call says nothing else.
LARGEST_BODY = 1_000_000


class Sink(Protocol):
    """Where a call leaves what must not be lost. Called from several threads, while the call still runs."""

    def attempt(self, attempt: Attempt) -> None: ...

    def answer(self, answer: Response) -> None: ...

    def refused(self, answer: Response, reason: str) -> None: ...


@dataclass(frozen=True)
class Call(Generic[T]):
    """What to ask, until when, and how to read the answer.

    `read` belongs to the source: it raises `TransientError` or `PermanentError` for an answer that is none. A body of
    more than `largest_body` bytes is refused: it is no answer to what was asked.
    """

    method: Literal["GET", "POST"]
    endpoint: str
    request: dict[str, Any]
    deadline: Deadline
    read: Callable[[Response], T]
    largest_body: int = LARGEST_BODY
