"""What the clients of all sources share: a call to an endpoint, and the errors of bad responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic_core import from_json

from lcw_assets.sources.gateway import gateway_error
from lcw_assets.sources.spec import Source
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.facts import Outcome, Response
from lcw_assets.transport.limits import quiet_s
from lcw_assets.transport.retry import retry_after_s

SIMULATOR_HEADER = "x-lcw-simulator"

_MAINTENANCE = re.compile(r"\bmaintenance\b(?! margin)", re.IGNORECASE)


class NotTheSourceError(RefusedError):
    """Another server than the source's responds at its address, or a simulator instead of the real source."""


class SourceClient:
    """A source's API, for as long as `deadline` lasts.

    A source names itself in `source`, and overrides `read` if its API wraps its documents. If `simulated` is false,
    responses of a simulator are refused: demo data must not end up among real data. `lifetime_s` says of an endpoint
    for how many seconds a response serves later calls, where there is a cache.
    """

    source: ClassVar[Source]
    method: ClassVar[Literal["GET", "POST"]] = "GET"
    lifetime_s: Mapping[str, float] = MappingProxyType({})

    def __init__(self, client: Client, *, deadline: Deadline, simulated: bool = False) -> None:
        self.client = client
        self.deadline = deadline
        self.simulated = simulated

    def fetch(self, endpoint: str, request: dict[str, Any]) -> Any:
        """The document of a response. Raises `CallError`."""
        largest, lifetime_s = self.largest_body(endpoint, request), self.lifetime_s.get(endpoint)
        return self.client.call(Call(self.method, endpoint, request, self.deadline, self._read, largest, lifetime_s))

    def largest_body(self, endpoint: str, request: dict[str, Any]) -> int:  # noqa: ARG002
        """The largest size of a response, in bytes."""
        return self.source.largest_body

    def read(self, response: Response) -> Any:
        """The document of a response. Raises a `CallError` if it has none."""
        if error := self.status_error(response):
            raise error
        try:
            return from_json(response.text)
        except ValueError:
            reason = f"{self.client.base_url} sent no JSON: {excerpt(response.text)}"
            raise TransientError(response.endpoint, reason, outcome="broken_body") from None

    def status_error(self, response: Response, text: str = "", *, own: bool = False) -> CallError | None:
        """The error of its HTTP status, with `text` or else the number as the reason; null for a good one.

        One that is not the API's `own` may be a page of a CDN or a proxy in front of it.
        """
        status, title = response.http_status, self.source.title
        text = text or f"HTTP {status}"
        if not own and (foreign := gateway_error(response, self.client.base_url, title)):
            return foreign
        if 200 <= status < 300:
            return None
        wait = self.wait_s(response)
        if status in (418, 429):
            reason = f"too many requests ({status})"
            outcome: Outcome = "banned" if status == 418 else "rate_limited"
            return TransientError(response.endpoint, reason, outcome=outcome, retry_after_s=wait)
        if status in (408, 425) or (status >= 500 and status not in (501, 505)):
            outcome = "maintenance" if says_maintenance(f"{text} {response.text}") else "server_error"
            return TransientError(response.endpoint, text, outcome=outcome, retry_after_s=wait)
        if status in (404, 405, 501) or status < 400:
            return not_the_source(response, self.source, self.client.base_url)
        outcome = "blocked" if status == 451 else "rejected"
        return PermanentError(response.endpoint, f"{title} refuses: {text}", outcome=outcome)

    def wait_s(self, response: Response) -> float | None:
        """Seconds until the next request may come, if the response says it."""
        wait = retry_after_s(response.headers, response.received_at)
        return quiet_s(response.headers, response.received_at) if wait is None else wait

    def _read(self, response: Response) -> Any:
        if SIMULATOR_HEADER in response.headers and not self.simulated:
            variable = f"{self.source.variables}_BASE_URL"
            raise NotTheSourceError(
                response.endpoint,
                f"{self.client.base_url} is a simulator, and in live mode its responses would be stored as real ones: "
                f"set LCW_MODE=demo, or {variable} to nothing or to {self.source.title}",
                outcome="rejected",
            )
        return self.read(response)


def not_the_source(response: Response, source: Source, base_url: str) -> NotTheSourceError:
    reason = f"{base_url} answers with HTTP {response.http_status}: is {source.variables}_BASE_URL right?"
    return NotTheSourceError(response.endpoint, reason, outcome="rejected")


def says_maintenance(text: str) -> bool:
    """Does the beginning of an error or page say that the server is being worked on?"""
    return bool(_MAINTENANCE.search(text[:5_000]))


def excerpt(text: str) -> str:
    """The beginning of the body, in one line."""
    line = " ".join(text[:200].split())
    return f"'{line[:80]}…'" if len(line) > 80 else f"'{line}'"
