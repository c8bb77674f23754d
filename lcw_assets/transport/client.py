"""One pooled session to one server, and a call on it: with time limits, retries, and a fact for each attempt."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from requests.adapters import HTTPAdapter

from lcw_assets.coordination.interfaces import Limiter
from lcw_assets.coordination.rate_limit import LONGEST_QUIET_S
from lcw_assets.transport.call import Call, Sink
from lcw_assets.transport.errors import CallError, PermanentError, TransientError
from lcw_assets.transport.facts import Attempt, Response
from lcw_assets.transport.in_flight import InFlightRequest, Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.route import Bundle, Route
from lcw_assets.transport.secret import Secret
from lcw_assets.transport.tuning import HedgeBudget, Tuning

T = TypeVar("T")

_NO_TIME = "no time was left to ask"


class Client:
    """A server's pooled session. Safe to use from several threads.

    `source` names the server in facts. `secret` is removed from errors and refused responses, and from good data if it
    is too long to be a word there. `ca_bundle` is a variable, and the path that it holds.
    """

    def __init__(
        self,
        base_url: str,
        *,
        source: str,
        sink: Sink,
        headers: Mapping[str, str] | None = None,
        secret: str | None = None,
        ca_bundle: Bundle | None = None,
        tuning: Tuning | None = None,
        rate_limit: Limiter | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._source = source
        self._sink = sink
        self._secret = Secret(secret)
        self._tuning = tuning or Tuning()
        self._rate_limit = rate_limit
        self._hedges = HedgeBudget(self._tuning.hedges)
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
        self._slots = threading.BoundedSemaphore(self._tuning.in_flight)
        self._quiet_until = 0.0
        self._route = Route.to(self.base_url, ca_bundle)
        self._session = self._route.session()
        self._session.headers.update({"User-Agent": "lcw-assets", **(headers or {})})
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=self._tuning.in_flight)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def call(self, call: Call[T]) -> T:
        """Send requests until `call.read` accepts a response, and return its result.

        Raises a `PermanentError` at once, the last `TransientError` when attempts or time have run out.
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

    def pause(self, seconds: float) -> None:
        """The server wants no calls for so long, from any process."""
        if self._rate_limit:
            self._rate_limit.pause(seconds)

    def close(self) -> None:
        self._session.close()

    def _attempt(self, call: Call[T], number: int, wanted_at: float) -> T:
        """Send a request, and after a while perhaps a second one; the first good response counts.

        Raises the error of the last one. Every request leaves a fact.
        """
        try:
            self._take_slot(call)
        except CallError as error:
            waited_s = time.perf_counter() - wanted_at
            self._sink.attempt(
                Attempt.unsent(self._source, call.endpoint, call.request, number, waited_s, error.outcome, error.reason)
            )
            raise
        pace = self._tuning.of(call.endpoint)
        ended: queue.SimpleQueue[tuple[InFlightRequest, Callable[[], Response]]] = queue.SimpleQueue()
        racing = [self._send(call, ended)]
        hedge_at = racing[0].started + pace.hedge_after_s if pace.hedge_after_s is not None else None
        try:
            while True:
                events = [sent.overdue_at for sent in racing] + ([hedge_at] if hedge_at is not None else [])
                try:
                    sent, result = ended.get(timeout=max(0.0, min(events) - time.perf_counter()))
                except queue.Empty:
                    late = [sent for sent in racing if sent.overdue_at <= time.perf_counter()]
                    if not late:
                        hedge_at = self._hedge(call, racing, ended)
                        continue
                    sent, result = late[0], _raise(late[0].overdue())
                    sent.abandon()
                if sent not in racing:
                    continue  # given up, and ended afterwards
                racing.remove(sent)
                try:
                    return self._finish(sent, result, call, number, wanted_at)
                except TransientError:
                    if not racing:
                        raise
        finally:
            for sent in racing:
                sent.abandon()
                self._slots.release()
                self._sink.attempt(sent.fact(number, wanted_at, None, "superseded", "another was answered first"))

    def _send(
        self,
        call: Call[T],
        ended: queue.SimpleQueue[tuple[InFlightRequest, Callable[[], Response]]],
        *,
        hedge: bool = False,
    ) -> InFlightRequest:
        sent = InFlightRequest(
            session=self._session,
            route=self._route,
            source=self._source,
            method=call.method,
            endpoint=call.endpoint,
            request=call.request,
            timeouts=self._timeouts,
            largest_body=call.largest_body,
            # Never zero, which would mean no time-out: the deadline may be cancelled in this moment.
            limit_s=max(
                0.01, min(self._timeouts.attempt_s, self._tuning.of(call.endpoint).attempt_s, call.deadline.left())
            ),
            hedge=hedge,
        )
        sent.start(ended)
        return sent

    def _hedge(
        self,
        call: Call[T],
        racing: list[InFlightRequest],
        ended: queue.SimpleQueue[tuple[InFlightRequest, Callable[[], Response]]],
    ) -> float | None:
        """Send a second request if there is a budget and a place for it. Returns when to try again, if ever."""
        if not call.deadline.left() or not self._hedges.take():
            return None
        if not self._slots.acquire(blocking=False):
            self._hedges.give_back()
            return time.perf_counter() + 0.05
        if self._rate_limit and self._rate_limit.take():
            self._slots.release()
            return None  # the rate is used up: first requests go before second ones
        racing.append(self._send(call, ended, hedge=True))
        return None

    def _finish(
        self, sent: InFlightRequest, result: Callable[[], Response], call: Call[T], number: int, wanted_at: float
    ) -> T:
        """The result of a request: read, recorded, and handed to the sink."""
        self._slots.release()
        response: Response | None = None
        try:
            response = result()
            value = self._keep(response, call)
        except CallError as error:
            if error.outcome == "rate_limited":
                quiet_s = min(error.retry_after_s or 0.0, LONGEST_QUIET_S)
                self._quiet_until = max(self._quiet_until, time.monotonic() + quiet_s)
                if error.retry_after_s:
                    self.pause(error.retry_after_s)
            self._hedges.ended(good=False, rate_limited=error.outcome == "rate_limited")
            self._sink.attempt(sent.fact(number, wanted_at, response, error.outcome, error.reason))
            raise
        except Exception:
            self._sink.attempt(sent.fact(number, wanted_at, response, "ok", None))
            raise
        self._hedges.ended(good=True)
        self._sink.attempt(sent.fact(number, wanted_at, response, "ok", None))
        return value

    def _take_slot(self, call: Call[T]) -> None:
        """One of the places in flight, after the pause that a 429 requested of all calls, and when the rate allows."""
        pause = self._quiet_until - time.monotonic()
        if not call.deadline.left() or pause >= call.deadline.left():
            raise TransientError(call.endpoint, _NO_TIME, outcome="deadline", retry_after_s=max(0.0, pause))
        call.deadline.sleep(pause)
        if not self._slots.acquire(timeout=call.deadline.left()):
            raise TransientError(call.endpoint, _NO_TIME, outcome="deadline")
        while wait_s := self._rate_limit.take() if self._rate_limit else 0.0:
            if wait_s >= call.deadline.left():
                self._slots.release()
                reason = f"{_NO_TIME}: the rate limit lets nobody ask for another {wait_s:.1f} s"
                raise TransientError(call.endpoint, reason, outcome="deadline", retry_after_s=wait_s)
            call.deadline.sleep(wait_s)
        if not call.deadline.left():  # it was called off meanwhile
            self._slots.release()
            raise TransientError(call.endpoint, _NO_TIME, outcome="deadline")

    def _read(self, response: Response, call: Call[T]) -> T:
        if response.cut and response.http_status == 200:
            reason = f"{self.base_url} sends over {call.largest_body:,} bytes, and is read no further"
            raise PermanentError(response.endpoint, reason, outcome="broken_body")
        return call.read(response)

    def _keep(self, response: Response, call: Call[T]) -> T:
        """Read a whole response. In any case, what the server sent is handed to the sink."""
        sent, response = response, self._secret.blot_out(response)
        try:
            value = self._read(response, call)
            if response is not sent and self._secret.may_be_a_word:
                value, response = self._read(sent, call), sent  # good data, and not an echo
        except CallError as error:
            if error.outcome == "broken_body":
                self._sink.refused(response, str(error))
            raise
        except Exception as error:
            self._sink.refused(response, repr(error))
            raise
        self._sink.response(response)
        return value


def _raise(error: Exception) -> Callable[[], Response]:
    def fail() -> Response:
        raise error

    return fail
