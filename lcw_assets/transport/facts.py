"""What is known of a call: the fact that every attempt leaves, and the response that one of them brought."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

Outcome = Literal[
    "ok",
    "timeout",  # connect, read or whole attempt
    "connection",  # refused, reset, name not found, cut off in the middle
    "rate_limited",  # 429
    "banned",  # this address for a while, because of too many requests: 418, a 403 that says so, codes of vendors
    "blocked",  # the country or network that the request comes from: 451, a 403 that says so, codes of vendors
    "maintenance",  # the server says that it is being worked on
    "server_error",  # 5xx
    "broken_body",  # not the JSON that the endpoint sends
    "rejected",  # an error that no retry repairs
    "unknown_code",  # the same, because the API knows no such coin
    "deadline",  # no time was left for a request
    "superseded",  # another request for the same response was faster; this one was given up
]

# There were too many requests: fewer, later.
TOO_MANY: frozenset[str] = frozenset({"rate_limited", "banned"})

# Where the server says how long, nobody else calls it meanwhile.
PAUSING = TOO_MANY | {"maintenance"}

# Where a response comes from: the server; the cache, which the server has confirmed with a 304; the cache alone.
Origin = Literal["fresh", "unchanged", "cached"]


@dataclass(frozen=True)
class Attempt:
    """One request that was made, or that found no time left. Becomes a row of `ops.calls`.

    `waited_s` is the time since the call was wanted (attempt 1) or since the previous attempt ended: back-off, a
    pause that the server requested, a free slot. `latency_s` is from the request to the last
    byte. `bytes` are counted on the wire, so gzip counts as gzip. `retry_after_s` is what the server requested before
    the next call, or after a ban what its vendor documents; `limits` are its headers about limits.
    """

    source: str
    endpoint: str
    request: dict[str, Any]
    started_at: datetime
    attempt: int
    hedge: bool
    waited_s: float
    latency_s: float
    http_status: int | None
    bytes: int
    outcome: Outcome
    error: str | None
    retry_after_s: float | None = None
    limits: Mapping[str, str] | None = None

    @classmethod
    def unsent(
        cls,
        source: str,
        endpoint: str,
        request: dict[str, Any],
        attempt: int,
        waited_s: float,
        outcome: Outcome,
        error: str,
    ) -> Attempt:
        """The fact of an attempt that was given up before any request was made."""
        now = datetime.now(timezone.utc)
        return cls(source, endpoint, request, now, attempt, False, waited_s, 0.0, None, 0, outcome, error)

    def to_row(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"started_at": self.started_at.isoformat()}


@dataclass(frozen=True)
class Response:
    """What a server sent: the body as text, as it came.

    The names in `headers` are in lower case. If the body is too large, `text` is its beginning (`cut`).
    """

    source: str
    endpoint: str
    request: dict[str, Any]
    requested_at: datetime
    received_at: datetime
    latency_s: float
    http_status: int
    bytes: int
    headers: dict[str, str]
    text: str
    cut: bool = False
    origin: Origin = "fresh"

    def to_row(self) -> dict[str, Any]:
        """The columns of `raw.pulls`, without the cycle's own, and the `origin` if it is another than the server."""
        row = {
            "source": self.source,
            "endpoint": self.endpoint,
            "request": self.request,
            "requested_at": self.requested_at.isoformat(),
            "received_at": self.received_at.isoformat(),
            "http_status": self.http_status,
            "payload": self.text,
        }
        return row if self.origin == "fresh" else row | {"origin": self.origin}
