"""One request and its response, on a thread of its own, so that its caller can stop waiting."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

import requests

from lcw_assets.transport.cache import Kept
from lcw_assets.transport.call import LARGEST_BODY
from lcw_assets.transport.errors import TransientError
from lcw_assets.transport.facts import Attempt, Outcome, Response
from lcw_assets.transport.route import Route


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `attempt_s` bounds one whole attempt; the other two only a silence within it."""

    connect_s: float = 4.0
    read_s: float = 10.0
    attempt_s: float = 15.0


@dataclass(eq=False)
class InFlightRequest:
    """A request that is on its way. `hedge` says that it is the second one for the same response; `kept` is the one
    that a 304 would confirm.

    It gives up by itself after `timeouts`; `overdue_at` and `started` are in the seconds of `time.perf_counter()`.
    """

    session: requests.Session
    route: Route
    source: str
    method: Literal["GET", "POST"]
    endpoint: str
    request: dict[str, Any]
    timeouts: Timeouts
    limit_s: float
    hedge: bool = False
    largest_body: int = LARGEST_BODY
    headers: Mapping[str, str] = field(default_factory=dict)
    kept: Kept | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    started: float = field(default_factory=time.perf_counter)
    _responses: list[requests.Response] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return self.route.base_url

    @property
    def overdue_at(self) -> float:
        return self.started + self.limit_s

    def start(self, ended: queue.SimpleQueue[tuple[InFlightRequest, Callable[[], Response]]]) -> None:
        """Send it. When it has ended, it is put into `ended` with a function that returns the response or raises.

        The thread is a daemon: a slow server must not keep the process alive.
        """

        def run() -> None:
            try:
                response = self._perform()
            except BaseException as error:  # noqa: BLE001 - not swallowed: raised again in the thread that waits
                raised = self.route.explain(self.endpoint, error)

                def fail() -> Response:
                    raise raised from None

                ended.put((self, fail))
            else:
                ended.put((self, lambda: response))

        threading.Thread(target=run, daemon=True).start()

    def abandon(self) -> None:
        """Wake the thread that still reads, so that it ends now. Its result is no longer wanted."""
        for response in self._responses:
            # It has ended in this very moment, and nothing is left to wake: its connection is back in the pool
            # (RuntimeError), or closed (ValueError, TypeError while that happens), or gone (OSError).
            with suppress(RuntimeError, ValueError, TypeError, OSError):
                response.raw.shutdown()

    def overdue(self) -> TransientError:
        reason = f"{self.route.server} gave no whole response within {self.limit_s:.1f} s"
        return TransientError(self.endpoint, reason, outcome="timeout")

    def fact(
        self, number: int, wanted_at: float, response: Response | None, outcome: Outcome, error: str | None
    ) -> Attempt:
        """Its fact, as the `number`th attempt of a call that was wanted at `wanted_at`."""
        return Attempt(
            source=self.source,
            endpoint=self.endpoint,
            request=self.request,
            started_at=self.started_at,
            attempt=number,
            hedge=self.hedge,
            waited_s=self.started - wanted_at,
            latency_s=response.latency_s if response else time.perf_counter() - self.started,
            http_status=response.http_status if response else None,
            bytes=response.bytes if response else 0,
            outcome=outcome,
            error=error,
        )

    def _perform(self) -> Response:
        response = self.session.request(
            self.method,
            f"{self.base_url}/{self.endpoint}",
            json=self.request if self.method == "POST" else None,
            params=self.request if self.method == "GET" else None,
            headers=self.headers,
            timeout=(min(self.timeouts.connect_s, self.limit_s), min(self.timeouts.read_s, self.limit_s)),
            allow_redirects=False,  # a redirect would carry the key to wherever it points
            stream=True,
        )
        self._responses.append(response)
        with response:
            if response.status_code == 407:
                raise self.route.wants_password(self.endpoint)
            body, cut = bytearray(), False
            for chunk in response.iter_content(256 * 1024):
                body += chunk
                if len(body) > self.largest_body:
                    del body[self.largest_body :]
                    cut = True
                    break
            return Response(
                source=self.source,
                endpoint=self.endpoint,
                request=self.request,
                requested_at=self.started_at,
                received_at=datetime.now(timezone.utc),
                latency_s=time.perf_counter() - self.started,
                http_status=response.status_code,
                bytes=response.raw.tell(),
                headers={name.lower(): value for name, value in response.headers.items()},
                text=body.decode("utf-8", errors="replace"),
                cut=cut,
            )
