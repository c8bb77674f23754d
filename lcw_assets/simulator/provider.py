"""The interface of a provider: its declaration, its requests and its responses.

A provider is a module of this package with a `PROVIDER`. It is discovered; no list names it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from lcw_assets.simulator.faults import Profile


@dataclass(frozen=True)
class Request:
    """`path` is without the slashes around it and without the provider's own name in front; `query` is the URL's."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]
    now: datetime

    @property
    def minute(self) -> int:
        """From the UNIX epoch."""
        return int(self.now.timestamp()) // 60


@dataclass(frozen=True)
class Response:
    """A `usable` response with status 200 must not be lost by a client: the ledger has it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    usable: bool = True


def to_json(document: Any) -> bytes:
    """Compact, in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class Service(Protocol):
    """A running provider of one simulator. Its only state is what was spent of limits and credits."""

    def respond(self, request: Request, fault: str) -> Response:
        """The response to one request, also a refusal; `fault` is one of the provider's own kinds, or `none`."""

    def error(self, status: int) -> Response:
        """The response if a profile makes it fail with this HTTP status."""


@dataclass(frozen=True)
class Option:
    """A keyword of a service, of `Simulator` and of the command line: `a_name` is `--a-name`."""

    name: str
    type: type[int] | type[str] | type[Path]
    help: str
    flag: str | None = None


@dataclass(frozen=True)
class Provider:
    """The declaration of a provider.

    It is served under its `name`, as in `/toy/v1/prices`, and its `roots`, the beginnings of paths, without it
    as well. `setting` is the environment variable for its address. `service` takes the market, and the `options` that
    were given. `faults` are its own kinds.
    """

    name: str
    title: str
    setting: str
    service: Callable[..., Service]
    roots: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    faults: frozenset[str] = frozenset()
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def address(self, server: str) -> str:
        """Where a client reaches it, on this server."""
        return server if self.roots else f"{server}/{self.name}"


class RateLimit:
    """So much weight in a window of `window_s`, which begins with its first request, or, `aligned`, by the clock."""

    def __init__(self, limit: int, window_s: int, *, aligned: bool = False) -> None:
        self.limit = limit
        self._window_s = window_s
        self._aligned = aligned
        self._since, self._spent = float("-inf"), 0

    def spend(self, now: datetime, weight: int = 1) -> bool:
        """Is the request within the limit?"""
        if self.reset_s(now) <= 0:
            self._since = now.timestamp() // self._window_s * self._window_s if self._aligned else now.timestamp()
            self._spent = 0
        self._spent += weight
        return self._spent <= self.limit

    def remaining(self, now: datetime) -> int:
        return max(0, self.limit - self._spent) if self.reset_s(now) > 0 else self.limit

    def reset_s(self, now: datetime) -> float:
        """Seconds until the window ends; zero or less if none is open."""
        elapsed_s = now.timestamp() - self._since
        return self._window_s - elapsed_s if elapsed_s >= 0 else 0.0


class Cache:
    """Bodies that stay the same for a minute. They are kept until the clock is past the minute after it."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[int, Hashable], bytes] = {}

    def get(self, minute: int, key: Hashable, make: Callable[[], bytes]) -> bytes:
        if (minute, key) not in self._bodies:
            body = make()
            self._bodies = {old: kept for old, kept in self._bodies.items() if old[0] >= minute - 1}
            self._bodies[minute, key] = body
        return self._bodies[minute, key]
