"""A backfill: make the calls of a plan, store responses while others come, and stop cleanly when credits run low."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from lcw_assets.coordination.interfaces import Budget
from lcw_assets.defs.history.plan import FirstPoints, Plan, WindowRequest
from lcw_assets.defs.history.store import StoredPoints
from lcw_assets.ingest.rotating import RotatingSpool
from lcw_assets.sources.gateway import BlockedError
from lcw_assets.sources.lcw.client import LiveCoinWatch, OutOfCreditsError, UnknownCodeError
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.facts import TOO_MANY
from lcw_assets.transport.threads import fan_out
from lcw_assets.warehouse.errors import LockedError

# Limits of one call with its retries, and of a cooldown that the server requests.
_CALL_S = 120.0
_COOLDOWN_S = 1800.0

# Stored every so often, so that a killed process leaves little to read again and a batch is a few megabytes.
_BATCH_RESPONSES = 400
_BATCH_S = 5.0

_CREDITS_EVERY = 250  # calls

# After so many calls in a row without a response, with retries, the server counts as down.
_GIVE_UP_AFTER = 16
_MORE_PASSES = 2

Status = Literal["done", "credits", "refused", "unanswered", "incomplete"]


@dataclass
class Progress:
    """The progress of a backfill. `credits` are those left today, if known."""

    planned: int
    calls: int = 0
    stored: StoredPoints = field(default_factory=StoredPoints)
    credits: int | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def calls_per_s(self) -> float:
        return self.calls / max(self.seconds, 1e-9)

    @property
    def left_s(self) -> float | None:
        """Estimated seconds for the rest."""
        return self.seconds * (self.planned - self.calls) / self.calls if self.calls else None


@dataclass
class Result:
    """`why` is the reason if it is not done. `unknown` are codes that the API does not know."""

    progress: Progress
    status: Status = "done"
    why: str = ""
    unknown: set[str] = field(default_factory=set)
    failed: list[tuple[WindowRequest, str]] = field(default_factory=list)

    def end(self, status: Status, why: str) -> None:
        """The first reason counts: in-flight requests still come in."""
        if self.status == "done":
            self.status, self.why = status, why


@dataclass
class Backfill:
    """A running plan. `store` stores what waits in the spool; when the database is locked, it stays there."""

    plan: Plan
    api: LiveCoinWatch
    spool: RotatingSpool
    budget: Budget
    store: Callable[[], StoredPoints]
    in_flight: int
    log: Callable[[str], None]
    report: Callable[[Progress], None]
    report_every_s: float = 10.0

    def __post_init__(self) -> None:
        self.progress = Progress(self.plan.calls, credits=self.budget.left)
        self.result = Result(self.progress)
        self._first_points = FirstPoints()
        self._stored_at = self._reported_at = time.monotonic()
        self._credits_at = self._sent = self._repeats = self._failed_in_a_row = 0

    def run(self) -> Result:
        """Raises what `store` raises, except for a lock. In any case, responses are in the spool or in the tables."""
        plan, result = self.plan, self.result
        if not plan.calls:
            return result  # not even the credits are requested
        try:
            with self.spool.open():
                self._begin()
                self._fetch_all(plan.requests())
                for _ in range(_MORE_PASSES):
                    if result.status == "done" and result.failed:
                        again, result.failed = [request for request, _ in result.failed], []
                        self._fetch_all(again)
        finally:
            self.budget.save()
        self._store_now()
        if result.failed:
            request, why = result.failed[0]
            which = f"{f'{request.code} from ' if request.code else ''}{request.window.start:%Y-%m-%d %H:%M}"
            result.end("incomplete", f"{len(result.failed)} calls brought nothing, such as {which}: {why}")
        if plan.codes and result.unknown >= set(plan.codes):
            why = "Live Coin Watch knows none of these coins: are LCW_TRACKED_COINS and LCW_CURRENCY right?"
            result.end("refused", why)
        return result

    def _begin(self) -> None:
        """Credits first: if they were low today already, or are unknown, no call is made."""
        why = "" if self.budget.exhausted else self._update_credits()
        if self.budget.exhausted:
            self.result.end("credits", self.budget.why())
        elif self.budget.left is None:
            self.result.end("unanswered", f"how many credits are left is not known, so none are spent: {why}")

    def _fetch_all(self, requests: Iterable[WindowRequest]) -> None:
        deadline = Deadline.after(float("inf"))
        try:
            for _, result in fan_out(self._tasks(requests, deadline), self.in_flight):
                self._count(result)  # also once it is over: in-flight requests are paid for
                self._housekeep()
        finally:
            deadline.cancel()

    def _update_credits(self) -> str:
        """Returns why they are unknown; null if they are known."""
        why = ""
        self._credits_at = self.progress.calls
        try:
            remaining = self.api.until(Deadline.after(_CALL_S)).credits().remaining
            self.budget.update(remaining - (self._sent - self.progress.calls))
        except RefusedError as error:
            self._refused(error)
        except CallError as error:
            why = error.reason
            self.log(f"credits are not known: {why}")
        self.progress.credits = self.budget.left
        return why

    def _refused(self, error: RefusedError) -> None:
        if isinstance(error, OutOfCreditsError):
            self.budget.update(0)
        self.result.end("credits" if isinstance(error, OutOfCreditsError) else "refused", error.reason)

    def _store_now(self) -> None:
        self._stored_at = time.monotonic()
        try:
            self.progress.stored += self.store()
        except LockedError as error:
            self.log(f"not stored yet: {error}. It waits in the spool")

    def _tasks(
        self, requests: Iterable[WindowRequest], deadline: Deadline
    ) -> Iterator[Callable[[], tuple[WindowRequest, int]]]:
        for request in requests:
            if request.code in self.result.unknown or request.code in self._first_points.found:
                self.progress.planned -= 1
                continue
            if self.result.status != "done":
                return
            if not self.budget.spend():
                self.result.end("credits", self.budget.why())
                return
            self._sent += 1
            yield partial(self._fetch, request, deadline)

    def _fetch(self, request: WindowRequest, deadline: Deadline) -> tuple[WindowRequest, int]:
        """One call. It waits for a cooldown that the server requests of all calls: that is no failure of the call."""
        series, window = self.plan.series, request.window
        body = series.request(request.code, self.api.currency, window.start, window.end)
        patience = deadline.at_most(_COOLDOWN_S)
        while True:
            try:
                document = self.api.until(patience.at_most(_CALL_S)).fetch(series.endpoint, body)
            except TransientError as error:
                if error.outcome in ("deadline", *TOO_MANY) and 0 < (error.retry_after_s or 0) < patience.left():
                    patience.sleep(error.retry_after_s or 0)
                    continue
                self.result.failed.append((request, error.reason))
                raise
            except PermanentError as error:
                if isinstance(error, UnknownCodeError) and request.code:
                    self.result.unknown.add(request.code)
                elif not isinstance(error, RefusedError):
                    self.result.failed.append((request, error.reason))
                raise
            return request, len(document if isinstance(document, list) else document["history"])

    def _count(self, result: Callable[[], tuple[WindowRequest, int]]) -> None:
        self.progress.calls += 1
        repeats = self.spool.repeats
        self.budget.spend(repeats - self._repeats)
        self._repeats = repeats
        self.progress.credits = self.budget.left
        try:
            request, points = result()
        except RefusedError as error:
            self._refused(error)
        except CallError as error:
            from_the_api = isinstance(error, PermanentError) and not isinstance(error, BlockedError)
            self._failed_in_a_row = 0 if from_the_api else self._failed_in_a_row + 1
            if self._failed_in_a_row >= _GIVE_UP_AFTER:
                why = f"{self._failed_in_a_row} calls in a row brought nothing, the last one: {error.reason}"
                self.result.end("unanswered", why)
        else:
            self._failed_in_a_row = 0
            if self.plan.series.name == "coin_daily":
                self._first_points.record(request, points)

    def _housekeep(self) -> None:
        now, waiting = time.monotonic(), self.spool.responses
        if waiting >= _BATCH_RESPONSES or (waiting and now - self._stored_at >= _BATCH_S):
            self.spool.rotate()
            self._store_now()
        if now - self._reported_at >= self.report_every_s:
            self._reported_at = now
            self.report(self.progress)
        if self.progress.calls - self._credits_at >= _CREDITS_EVERY:
            self._update_credits()
