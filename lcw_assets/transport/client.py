"""One pooled session to one server, and a call on it: bounded in time, repeated where that helps, accounted for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Generic, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import requests
from requests import exceptions as requests_errors
from requests.adapters import HTTPAdapter

from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PassingError, PermanentError
from lcw_assets.transport.facts import Answer, Attempt
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.threads import bounded

T = TypeVar("T")

# LCW's largest answer is 160 KB. A server that sends more than this is not one of ours.
_LARGEST_BODY = 32 * 1024 * 1024
_NO_TIME = "no time was left to ask"


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `attempt_s` bounds one whole attempt; the other two only a silence within it."""

    connect_s: float = 4.0
    read_s: float = 10.0
    attempt_s: float = 15.0


class Sink(Protocol):
    """Where a call leaves what must not be lost. Called from several threads, while the call still runs."""

    def attempt(self, attempt: Attempt) -> None: ...

    def answer(self, answer: Answer) -> None: ...

    def refused(self, answer: Answer, reason: str) -> None: ...


@dataclass(frozen=True)
class Call(Generic[T]):
    """What to ask, until when, and how to read the answer.

    `read` belongs to the source: it raises `PassingError` or `PermanentError` for an answer that is none.
    """

    method: Literal["GET", "POST"]
    endpoint: str
    request: dict[str, Any]
    deadline: Deadline
    read: Callable[[Answer], T]


class Client:
    """A server's pooled session. Safe to use from several threads.

    `source` names the server in facts. `secret` is blotted out of whatever the server sends back.
    """

    def __init__(
        self,
        base_url: str,
        *,
        source: str,
        sink: Sink,
        headers: Mapping[str, str] | None = None,
        secret: str | None = None,
        in_flight: int = 4,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._source = source
        self._sink = sink
        self._secret = secret
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._slots = threading.BoundedSemaphore(in_flight)
        self._quiet_until = 0.0
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "lcw-assets", **(headers or {})})
        # A proxy or a ~/.netrc of the user's is meant for the outside; loopback must not take that way.
        self._session.trust_env = urlsplit(base_url).hostname not in ("127.0.0.1", "localhost", "::1")
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=in_flight)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def call(self, call: Call[T]) -> T:
        """Ask until `call.read` accepts an answer, and give what it made of it.

        Raises a `PermanentError` at once, the last `PassingError` when attempts or time have run out.
        """
        number = 0
        wanted_at = time.perf_counter()

        def attempt() -> T:
            nonlocal number, wanted_at
            number += 1
            try:
                return self._attempt(call, number, wanted_at)
            finally:
                wanted_at = time.perf_counter()

        return self._retry.within(call.deadline)(attempt)

    def close(self) -> None:
        self._session.close()

    def _attempt(self, call: Call[T], number: int, wanted_at: float) -> T:
        fact = Attempt(
            source=self._source,
            endpoint=call.endpoint,
            request=call.request,
            started_at=datetime.now(timezone.utc),
            attempt=number,
            hedge=False,
            waited_s=0.0,
            latency_s=0.0,
            http_status=None,
            bytes=0,
            outcome="ok",
            error=None,
        )
        try:
            with self._slot(call):
                started_at, started = datetime.now(timezone.utc), time.perf_counter()
                fact = replace(fact, started_at=started_at, waited_s=started - wanted_at)
                try:
                    answer = self._exchange(call)
                finally:
                    fact = replace(fact, latency_s=time.perf_counter() - started)
            fact = replace(fact, http_status=answer.http_status, bytes=answer.bytes)
            return self._keep(answer, call)
        except CallError as error:
            fact = replace(fact, outcome=error.outcome, error=error.reason)
            if error.outcome == "deadline":
                fact = replace(fact, waited_s=time.perf_counter() - wanted_at)
            if error.outcome == "rate_limited":
                self._quiet_until = max(self._quiet_until, time.monotonic() + (error.retry_after_s or 0.0))
            raise
        finally:
            self._sink.attempt(fact)

    @contextmanager
    def _slot(self, call: Call[T]) -> Iterator[None]:
        """One of the `in_flight` places, once the quiet that a 429 asked of all calls is over."""
        pause = self._quiet_until - time.monotonic()
        if not call.deadline.left() or pause >= call.deadline.left():
            raise PassingError(call.endpoint, _NO_TIME, outcome="deadline", retry_after_s=max(0.0, pause))
        call.deadline.sleep(pause)
        if not self._slots.acquire(timeout=call.deadline.left()):
            raise PassingError(call.endpoint, _NO_TIME, outcome="deadline")
        try:
            yield
        finally:
            self._slots.release()

    def _keep(self, answer: Answer, call: Call[T]) -> T:
        """Read a whole answer. Whatever comes of that, what the server sent is handed to the sink."""
        try:
            value = call.read(answer)
        except CallError as error:
            if error.outcome == "broken_body":
                self._sink.refused(answer, str(error))
            raise
        except Exception as error:
            self._sink.refused(answer, repr(error))
            raise
        self._sink.answer(answer)
        return value

    def _exchange(self, call: Call[T]) -> Answer:
        """Send one request and read the whole body, within the attempt's time. Raises `CallError`."""
        limit = min(self._timeouts.attempt_s, call.deadline.left())
        responses: list[requests.Response] = []

        def exchange() -> Answer:
            requested_at, started = datetime.now(timezone.utc), time.perf_counter()
            response = self._session.request(
                call.method,
                f"{self.base_url}/{call.endpoint}",
                json=call.request if call.method == "POST" else None,
                params=call.request if call.method == "GET" else None,
                timeout=(min(self._timeouts.connect_s, limit), min(self._timeouts.read_s, limit)),
                allow_redirects=False,  # a redirect would carry the key to wherever it points
                stream=True,
            )
            responses.append(response)
            with response:
                body = bytearray()
                for chunk in response.iter_content(256 * 1024):
                    body += chunk
                    if len(body) > _LARGEST_BODY:
                        raise PermanentError(call.endpoint, f"{self.base_url} sends over 32 MB", outcome="rejected")
                text = body.decode("utf-8", errors="replace")
                return Answer(
                    source=self._source,
                    endpoint=call.endpoint,
                    request=call.request,
                    requested_at=requested_at,
                    received_at=datetime.now(timezone.utc),
                    latency_s=time.perf_counter() - started,
                    http_status=response.status_code,
                    bytes=response.raw.tell(),
                    headers={name.lower(): value for name, value in response.headers.items()},
                    text=text.replace(self._secret, "***") if self._secret else text,
                )

        try:
            return bounded(exchange, limit)
        except TimeoutError:
            for response in responses:
                response.raw.shutdown()  # wakes the thread that still reads, so that it ends now
            reason = f"{self.base_url} gave no whole answer within {limit:.1f} s"
            raise PassingError(call.endpoint, reason, outcome="timeout") from None
        except requests_errors.Timeout:
            raise PassingError(call.endpoint, f"{self.base_url} was silent for too long", outcome="timeout") from None
        except (requests_errors.SSLError, requests_errors.InvalidURL) as error:
            raise PermanentError(call.endpoint, f"{self.base_url}: {error}", outcome="rejected") from None
        except requests_errors.RequestException as error:
            reason = f"{self.base_url} {_meaning(error)}"
            raise PassingError(call.endpoint, reason, outcome="connection") from None


def _meaning(error: requests_errors.RequestException) -> str:
    """The part of a nested network error that tells a person something."""
    text = str(error)
    for sign, meaning in (
        ("Connection refused", "refuses connections"),
        ("Failed to resolve", "is not a name that can be found"),
        ("Connection reset", "cut the connection off"),
        ("Remote end closed", "closed the connection without an answer"),
        ("IncompleteRead", "cut its answer off in the middle"),
    ):
        if sign in text:
            return meaning
    return f"failed: {text}"
