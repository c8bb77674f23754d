"""A backfill: ask for what the plan says, store it while more comes, and stop in order when credits run low."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from lcw_assets.coordination.interfaces import Budget
from lcw_assets.defs.history.batches import Batches
from lcw_assets.defs.history.plan import Ask, FirstPoints, Plan
from lcw_assets.defs.history.store import StoredPoints
from lcw_assets.sources.gateway import BlockedError
from lcw_assets.sources.lcw.client import LiveCoinWatch, OutOfCreditsError, UnknownCodeError
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.threads import fan_out
from lcw_assets.warehouse.errors import LockedError

# One call with all its repeats; and how long a quiet that the server asks for is sat out.
_CALL_S = 120.0
_QUIET_S = 1800.0

# Stored every so often, so that a killed process leaves little to read again and a batch is a few megabytes.
_BATCH_ANSWERS = 400
_BATCH_S = 5.0

_CREDITS_EVERY = 250  # calls

# So many calls in a row, each with its repeats, brought nothing: nobody is there.
_GIVE_UP_AFTER = 16
_MORE_PASSES = 2

Status = Literal["done", "credits", "refused", "unanswered", "incomplete"]


@dataclass
class Progress:
    """How far a backfill is. `credits` are those left today, as far as they are known."""

    planned: int
    calls: int = 0
    stored: StoredPoints = field(default_factory=StoredPoints)
    credits: int | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest takes at the pace so far."""
        return self.seconds * (self.planned - self.calls) / self.calls if self.calls else None


@dataclass
class Result:
    """`why` says in words why it is not done. `unknown` are coins that the API does not know."""

    progress: Progress
    status: Status = "done"
    why: str = ""
    unknown: set[str] = field(default_factory=set)
    failed: list[tuple[Ask, str]] = field(default_factory=list)

    def ends(self, status: Status, why: str) -> None:
        """The first reason counts: what is on its way when it comes is let come in."""
        if self.status == "done":
            self.status, self.why = status, why


def backfill(
    plan: Plan,
    api: LiveCoinWatch,
    batches: Batches,
    budget: Budget,
    *,
    store: Callable[[], StoredPoints],
    in_flight: int,
    log: Callable[[str], None],
    report: Callable[[Progress], None],
    report_every_s: float = 10.0,
) -> Result:
    """Run a plan. `store` stores what waits in the spool; when the database is locked, that waits for the next time.

    Raises what `store` raises otherwise. However this ends, what was answered is in the spool or in the tables.
    """
    run = _Run(plan, api, batches, budget, store, log, report, report_every_s)
    result = run.result
    if not plan.calls:
        return result  # not even for how many credits there are
    try:
        with batches.open():
            run.begin()
            run.ask_all(plan.asks(), in_flight)
            for _ in range(_MORE_PASSES):
                if result.status == "done" and result.failed:
                    again = [ask for ask, _ in result.failed]
                    result.failed.clear()
                    run.ask_all(iter(again), in_flight)
    finally:
        budget.save()
    run.store_now()
    if result.failed:
        ask, why = result.failed[0]
        who = f"{ask.code} from {ask.window.start:%Y-%m-%d %H:%M}" if ask.code else f"{ask.window.start:%Y-%m-%d %H:%M}"
        result.ends("incomplete", f"{len(result.failed)} calls brought nothing, such as {who}: {why}")
    if plan.codes and result.unknown >= set(plan.codes):
        result.ends(
            "refused", "Live Coin Watch knows none of these coins: are LCW_TRACKED_COINS and LCW_CURRENCY right?"
        )
    return result


class _Run:
    """What the steps of a backfill share."""

    def __init__(
        self,
        plan: Plan,
        api: LiveCoinWatch,
        batches: Batches,
        budget: Budget,
        store: Callable[[], StoredPoints],
        log: Callable[[str], None],
        report: Callable[[Progress], None],
        report_every_s: float,
    ) -> None:
        self.result = Result(Progress(plan.calls, credits=budget.left))
        self._plan = plan
        self._api = api
        self._batches = batches
        self._budget = budget
        self._store = store
        self._log = log
        self._report = report
        self._report_every_s = report_every_s
        self._first_points = FirstPoints()
        self._stored_at = self._reported_at = time.monotonic()
        self._credits_at = self._sent = self._repeats = 0
        self._in_a_row = 0

    def begin(self) -> None:
        """Credits first: of a day on which they were low already, nothing is asked, and without them nothing either."""
        why = "" if self._budget.exhausted else self.ask_credits()
        if self._budget.exhausted:
            self.result.ends("credits", self._budget.why())
        elif self._budget.left is None:
            self.result.ends("unanswered", f"how many credits are left is not known, so none are spent: {why}")

    def ask_all(self, asks: Iterator[Ask], in_flight: int) -> None:
        deadline = Deadline.after(float("inf"))
        try:
            for _, result in fan_out(self._tasks(asks, deadline), in_flight):
                self._take(result)  # also once it is over: what is on its way is paid for
                self._now_and_then()
        finally:
            deadline.cancel()

    def ask_credits(self) -> str:
        """Ask how many there are. Gives why that is not known, if it is not."""
        progress, why = self.result.progress, ""
        self._credits_at = progress.calls
        try:
            remaining = self._api.until(Deadline.after(_CALL_S)).credits().remaining
            self._budget.update(remaining - (self._sent - progress.calls))
        except OutOfCreditsError as error:
            self._budget.update(0)
            self.result.ends("credits", error.reason)
        except RefusedError as error:
            self.result.ends("refused", error.reason)
        except CallError as error:
            why = error.reason
            self._log(f"credits are not known: {why}")
        progress.credits = self._budget.left
        return why

    def store_now(self) -> None:
        self._stored_at = time.monotonic()
        try:
            self.result.progress.stored += self._store()
        except LockedError as error:
            self._log(f"not stored yet: {error}. It waits in the spool")

    def _tasks(self, asks: Iterator[Ask], deadline: Deadline) -> Iterator[Callable[[], tuple[Ask, int]]]:
        for ask in asks:
            if ask.code in self.result.unknown or ask.code in self._first_points.found:
                self.result.progress.planned -= 1
                continue
            if self.result.status != "done":
                return
            if not self._budget.spend():
                self.result.ends("credits", self._budget.why())
                return
            self._sent += 1
            yield partial(self._ask, ask, deadline)

    def _ask(self, ask: Ask, deadline: Deadline) -> tuple[Ask, int]:
        """One call. A quiet that the server asks of everybody is sat out: it says nothing of this call."""
        request = self._plan.series.request(ask.code, self._api.currency, ask.window.start, ask.window.end)
        patience = deadline.at_most(_QUIET_S)
        while True:
            try:
                document = self._api.until(patience.at_most(_CALL_S)).fetch(self._plan.series.endpoint, request)
            except TransientError as error:
                if error.outcome in ("deadline", "rate_limited") and 0 < (error.retry_after_s or 0) < patience.left():
                    patience.sleep(error.retry_after_s or 0)
                    continue
                self.result.failed.append((ask, error.reason))
                raise
            except PermanentError as error:
                if isinstance(error, UnknownCodeError) and ask.code:
                    self.result.unknown.add(ask.code)
                elif not isinstance(error, RefusedError):
                    self.result.failed.append((ask, error.reason))
                raise
            return ask, len(document if isinstance(document, list) else document["history"])

    def _take(self, result: Callable[[], tuple[Ask, int]]) -> None:
        progress = self.result.progress
        progress.calls += 1
        repeats = self._batches.repeats
        self._budget.spend(repeats - self._repeats)
        self._repeats = repeats
        progress.credits = self._budget.left
        try:
            ask, points = result()
        except OutOfCreditsError as error:
            self._budget.update(0)
            self.result.ends("credits", error.reason)
        except RefusedError as error:
            self.result.ends("refused", error.reason)
        except CallError as error:
            answered = isinstance(error, PermanentError) and not isinstance(error, BlockedError)
            self._in_a_row = 0 if answered else self._in_a_row + 1
            if self._in_a_row >= _GIVE_UP_AFTER:
                why = f"{self._in_a_row} calls in a row brought nothing, the last one: {error.reason}"
                self.result.ends("unanswered", why)
        else:
            self._in_a_row = 0
            if self._plan.series.name == "coin_daily":
                self._first_points.saw(ask, points)

    def _now_and_then(self) -> None:
        now, progress = time.monotonic(), self.result.progress
        if self._batches.answers >= _BATCH_ANSWERS or (self._batches.answers and now - self._stored_at >= _BATCH_S):
            self._batches.rotate()
            self.store_now()
        if now - self._reported_at >= self._report_every_s:
            self._reported_at = now
            self._report(progress)
        if progress.calls - self._credits_at >= _CREDITS_EVERY:
            self.ask_credits()
