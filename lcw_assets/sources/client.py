"""What the clients of all sources share: a call to an endpoint, and the errors of bad responses."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, ClassVar, Literal

from pydantic_core import from_json

from lcw_assets.sources.gateway import gateway_error
from lcw_assets.sources.spec import Source
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.facts import Response
from lcw_assets.transport.retry import retry_after_s

SIMULATOR_HEADER = "x-lcw-simulator"


class NotTheSourceError(RefusedError):
    """Another server than the source's responds at its address, or a simulator instead of the real source."""


class SourceClient:
    """A source's API, for as long as `deadline` lasts.

    A source names itself in `source`, and overrides `read` if its API wraps its documents. If `simulated` is false,
    responses of a simulator are refused: demo data must not end up among real data.
    """

    source: ClassVar[Source]
    method: ClassVar[Literal["GET", "POST"]] = "GET"

    def __init__(self, client: Client, *, deadline: Deadline, simulated: bool = False) -> None:
        self.client = client
        self.deadline = deadline
        self.simulated = simulated

    def fetch(self, endpoint: str, request: dict[str, Any]) -> Any:
        """The document of a response. Raises `CallError`."""
        largest = self.largest_body(endpoint, request)
        return self.client.call(Call(self.method, endpoint, request, self.deadline, self._read, largest))

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
        wait = retry_after_s(response.headers, datetime.now(timezone.utc))
        if status == 429:
            reason = "too many requests (429)"
            return TransientError(response.endpoint, reason, outcome="rate_limited", retry_after_s=wait)
        if status in (408, 425) or (status >= 500 and status not in (501, 505)):
            return TransientError(response.endpoint, text, outcome="server_error", retry_after_s=wait)
        if status in (404, 405, 501) or status < 400:
            return not_the_source(response, self.source, self.client.base_url)
        return PermanentError(response.endpoint, f"{title} refuses: {text}", outcome="rejected")

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


def excerpt(text: str) -> str:
    """The beginning of the body, in one line."""
    line = " ".join(text[:200].split())
    return f"'{line[:80]}…'" if len(line) > 80 else f"'{line}'"
