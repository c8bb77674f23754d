"""One pooled session to one server, and a call on it: with time limits, retries, and a fact for each attempt."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from requests.adapters import HTTPAdapter

from lcw_assets.coordination.interfaces import Limiter
from lcw_assets.transport.cache import Kept, ResponseCache
from lcw_assets.transport.call import Call, Sink
from lcw_assets.transport.client_cache import ClientCache
from lcw_assets.transport.errors import CallError, PermanentError, TransientError
from lcw_assets.transport.facts import PAUSING, TOO_MANY, Attempt, Response
from lcw_assets.transport.in_flight import InFlightRequest, Timeouts
from lcw_assets.transport.limits import quiet_s, rate_headers
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.route import Bundle, Route
from lcw_assets.transport.secret import Secret
from lcw_assets.transport.tuning import HedgeBudget, Tuning
from lcw_assets.transport.turns import Turns

T = TypeVar("T")


class Client:
    """A server's pooled session. Safe to use from several threads.

    `source` names the server in facts. `secret` is removed from errors and refused responses, and from good data if it
    is too long to be a word there. `ca_bundle` is a variable, and the path that it holds. `cache` may serve instead of
    the server, or have it send only what has changed.
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
        cache: ResponseCache | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._source = source
        self._sink = sink
        self._secret = Secret(secret)
        self._tuning = tuning or Tuning()
        self._turns = Turns(self._tuning.in_flight, rate_limit)
        self._cache = ClientCache(cache, source, self.base_url, self._secret)
        self._hedges = HedgeBudget(self._tuning.hedges)
        self._timeouts = timeouts or Timeouts()
        self._retry = retry or RetryPolicy()
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
        self._turns.pause(seconds)

    def close(self) -> None:
        self._session.close()

    def _attempt(self, call: Call[T], number: int, wanted_at: float) -> T:
        """Send a request, and after a while perhaps a second one; the first good response counts.

        Raises the error of the last one. Every request leaves a fact.
        """
        kept = self._cache.find(call)
        if served := self._cache.serve(call, kept):
            try:
                return self._keep(served, call, kept)
            except CallError:
                kept = None
        try:
            self._turns.take(call.endpoint, call.deadline)
        except CallError as error:
            waited_s = time.perf_counter() - wanted_at
            self._sink.attempt(
                Attempt.unsent(self._source, call.endpoint, call.request, number, waited_s, error.outcome, error.reason)
            )
            raise
        pace = self._tuning.of(call.endpoint)
        ended: queue.SimpleQueue[tuple[InFlightRequest, Callable[[], Response]]] = queue.SimpleQueue()
        racing = [self._send(call, ended, kept)]
        hedge_at = racing[0].started + pace.hedge_after_s if pace.hedge_after_s is not None else None
        try:
            while True:
                events = [sent.overdue_at for sent in racing] + ([hedge_at] if hedge_at is not None else [])
                try:
                    sent, result = ended.get(timeout=max(0.0, min(events) - time.perf_counter()))
                except queue.Empty:
                    late = [sent for sent in racing if sent.overdue_at <= time.perf_counter()]
                    if not late:
                        hedge_at = self._hedge(call, racing, ended, kept)
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
                self._turns.release()
                self._sink.attempt(sent.fact(number, wanted_at, None, "superseded", "another was answered first"))

    def _send(
        self,
        call: Call[T],
        ended: queue.SimpleQueue[tuple[InFlightRequest, Callable[[], Response]]],
        kept: Kept | None,
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
            headers=self._cache.conditions(call, kept),
            kept=kept,
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
        kept: Kept | None,
    ) -> float | None:
        """Send a second request if there is a budget and a place for it. Returns when to try again, if ever."""
        if not call.deadline.left() or not self._hedges.take():
            return None
        if not self._turns.take_now():
            self._hedges.give_back()
            return time.perf_counter() + 0.05
        if self._turns.rate_is_used_up():
            self._turns.release()
            return None  # first requests go before second ones
        racing.append(self._send(call, ended, kept, hedge=True))
        return None

    def _finish(
        self, sent: InFlightRequest, result: Callable[[], Response], call: Call[T], number: int, wanted_at: float
    ) -> T:
        """The result of a request: read, recorded, and handed to the sink."""
        self._turns.release()
        response: Response | None = None
        failed: CallError | None = None
        try:
            response = result()
            value = self._keep(self._cache.whole(response, sent.kept), call, sent.kept)
        except CallError as error:
            failed = error
            raise
        finally:
            self._record(sent, number, wanted_at, response, failed)
        return value

    def _record(
        self, sent: InFlightRequest, number: int, wanted_at: float, response: Response | None, error: CallError | None
    ) -> None:
        """The fact of a request; and no other is sent for as long as its response says."""
        quiet = quiet_s(response.headers, response.received_at) if response else None
        requested_s = error.retry_after_s if error else None
        if pause_s := max(quiet or 0.0, (requested_s or 0.0) if error and error.outcome in PAUSING else 0.0):
            self.pause(pause_s)
        self._hedges.ended(good=error is None, rate_limited=error is not None and error.outcome in TOO_MANY)
        fact = sent.fact(number, wanted_at, response, error.outcome if error else "ok", error.reason if error else None)
        limits = rate_headers(response.headers, self._secret) if response else None
        self._sink.attempt(replace(fact, retry_after_s=quiet if requested_s is None else requested_s, limits=limits))

    def _read(self, response: Response, call: Call[T]) -> T:
        if response.cut and response.http_status == 200:
            reason = f"{self.base_url} sends over {call.largest_body:,} bytes, and is read no further"
            raise PermanentError(response.endpoint, reason, outcome="broken_body")
        return call.read(response)

    def _keep(self, response: Response, call: Call[T], kept: Kept | None) -> T:
        """Read a whole response. In any case, what the server sent is handed to the sink."""
        sent, response = response, self._secret.blot_out(response)
        try:
            value = self._read(response, call)
            if response is not sent and self._secret.may_be_a_word:
                value, response = self._read(sent, call), sent  # good data, and not an echo
        except CallError as error:
            if error.outcome == "broken_body":
                self._sink.refused(response, str(error))
            if response.origin == "fresh":
                raise
            self._cache.forget(call)  # a newer version of `read` does not accept it
            reason = f"a response that was kept is not accepted any more: {error.reason}"
            raise TransientError(call.endpoint, reason, outcome="server_error") from None
        except Exception as error:
            self._sink.refused(response, repr(error))
            raise
        self._sink.response(response)
        self._cache.keep(call, response, kept)
        return value


def _raise(error: Exception) -> Callable[[], Response]:
    def fail() -> Response:
        raise error

    return fail
