"""A call: its request, how its response is read, and the sink that keeps what must not be lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Attempt, Response

T = TypeVar("T")

# Default limit of a body, in bytes.
LARGEST_BODY = 1_000_000


class Sink(Protocol):
    """Keeps what must not be lost. Called from several threads, while the call still runs."""

    def attempt(self, attempt: Attempt) -> None: ...

    def response(self, response: Response) -> None: ...

    def refused(self, response: Response, reason: str) -> None: ...


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, its deadline, and how its response is read.

    `read` belongs to the source: it raises `TransientError` or `PermanentError` for an unusable response. A body of
    more than `largest_body` bytes is refused: no request explains so much. Where the client has a cache, a response
    that is younger than `lifetime_s` seconds serves without a request; null: each call sends one.
    """

    method: Literal["GET", "POST"]
    endpoint: str
    request: dict[str, Any]
    deadline: Deadline
    read: Callable[[Response], T]
    largest_body: int = LARGEST_BODY
    lifetime_s: float | None = None
