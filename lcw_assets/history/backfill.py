"""A backfill: ask for what the plan says, store it while more comes, and stop in order when credits run low."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from lcw_assets.history.batches import Batches
from lcw_assets.history.plan import Ask, Plan
from lcw_assets.history.store import StoredPoints
from lcw_assets.sources.lcw import LiveCoinWatch, RefusedError, UnknownCodeError
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError
from lcw_assets.transport.threads import fan_out
from lcw_assets.warehouse.errors import LockedError

# One call with all its repeats. A `Retry-After` of a minute or two is sat out.
_CALL_S = 300.0

# Stored every so often, so that a killed process leaves little to read again and a batch is a few megabytes.
_BATCH_ANSWERS = 400
_BATCH_S = 5.0

_CREDITS_EVERY = 250  # calls

# So many calls in a row, each with its repeats, brought nothing: nobody is there.
_GIVE_UP_AFTER = 16
_PASSES = 3

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


def backfill(
    plan: Plan,
    api: LiveCoinWatch,
    batches: Batches,
    *,
    store: Callable[[], StoredPoints],
    in_flight: int,
    reserve: int,
    log: Callable[[str], None],
    report: Callable[[Progress], None],
    report_every_s: float = 10.0,
) -> Result:
    """Run a plan. `store` stores what waits in the spool; when the database is locked, that waits for the next time.

    Raises what `store` raises otherwise. However this ends, what was answered is in the spool or in the tables.
    """
    run = _Run(plan, api, batches, store, reserve, log, report, report_every_s)
    if not plan.calls:
        return run.result  # not even for how many credits there are
    with batches.open():
        run.ask_credits()
        asks = plan.asks()
        for _ in range(_PASSES):
            run.ask_all(asks, in_flight)
            if run.result.status != "done" or not run.result.failed:
                break
            again = [ask for ask, _ in run.result.failed]
            run.result.failed.clear()
            asks = iter(again)
    run.store_now()
    result = run.result
    if result.failed and result.status == "done":
        result.status = "incomplete"
        ask, why = result.failed[0]
        who = f"{ask.code} from {ask.window.start:%Y-%m-%d %H:%M}" if ask.code else f"{ask.window.start:%Y-%m-%d %H:%M}"
        result.why = f"{len(result.failed)} calls brought nothing, such as {who}: {why}"
    return result


class _Run:
    """What the steps of a backfill share."""

    def __init__(
        self,
        plan: Plan,
        api: LiveCoinWatch,
        batches: Batches,
        store: Callable[[], StoredPoints],
        reserve: int,
        log: Callable[[str], None],
        report: Callable[[Progress], None],
        report_every_s: float,
    ) -> None:
        self.result = Result(Progress(plan.calls))
        self._plan = plan
        self._api = api
        self._batches = batches
        self._store = store
        self._reserve = reserve
        self._log = log
        self._report = report
        self._report_every_s = report_every_s
        self._with_points: set[str] = set()
        self._not_before: set[str] = set()
        self._stored_at = self._reported_at = time.monotonic()
        self._credits_at = self._sent = 0
        self._in_a_row = 0

    def ask_all(self, asks: Iterator[Ask], in_flight: int) -> None:
        deadline = Deadline.after(float("inf"))
        try:
            for _, result in fan_out(self._tasks(asks, deadline), in_flight):
                self._take(result)  # also once it is over: what is on its way is paid for
                self._now_and_then()
        finally:
            deadline.cancel()

    def ask_credits(self) -> None:
        """Without an answer it goes on as before: LCW itself says when there are none."""
        progress = self.result.progress
        self._credits_at = progress.calls
        try:
            remaining = self._api.until(Deadline.after(20.0)).credits().remaining
            progress.credits = remaining - (self._sent - progress.calls)
        except RefusedError as error:
            self.result.status, self.result.why = "refused", error.reason
        except CallError as error:
            self._log(f"credits are not known: {error.reason}")

    def store_now(self) -> None:
        self._stored_at = time.monotonic()
        try:
            self.result.progress.stored += self._store()
        except LockedError as error:
            self._log(f"not stored yet: {error}. It waits in the spool")

    def _tasks(self, asks: Iterator[Ask], deadline: Deadline) -> Iterator[Callable[[], tuple[Ask, int]]]:
        for ask in asks:
            if ask.code in self.result.unknown or ask.code in self._not_before:
                self.result.progress.planned -= 1
                continue
            if self.result.status != "done" or not self._may_spend():
                return
            self._sent += 1
            yield partial(self._ask, ask, deadline)

    def _ask(self, ask: Ask, deadline: Deadline) -> tuple[Ask, int]:
        request = self._plan.series.request(ask.code, self._api.currency, ask.window.start, ask.window.end)
        api = self._api.until(deadline.at_most(_CALL_S))
        try:
            document = api.fetch(self._plan.series.endpoint, request)
        except UnknownCodeError:
            self.result.unknown.add(ask.code)
            raise
        except RefusedError:
            raise
        except CallError as error:
            self.result.failed.append((ask, error.reason))
            raise
        return ask, len(document if isinstance(document, list) else document["history"])

    def _take(self, result: Callable[[], tuple[Ask, int]]) -> None:
        progress = self.result.progress
        progress.calls += 1
        try:
            ask, points = result()
        except UnknownCodeError:
            self._in_a_row = 0
        except RefusedError as error:
            self.result.status, self.result.why = "refused", error.reason
        except CallError as error:
            self._in_a_row += 1
            if self._in_a_row == _GIVE_UP_AFTER and self.result.status == "done":
                why = f"{self._in_a_row} calls in a row brought nothing, the last one: {error.reason}"
                self.result.status, self.result.why = "unanswered", why
        else:
            self._in_a_row = 0
            if points:
                self._with_points.add(ask.code)
            elif ask.code in self._with_points and self._plan.series.name == "coin_daily":
                self._not_before.add(ask.code)  # it was not listed yet; `covered.sql` draws the same conclusion

    def _may_spend(self) -> bool:
        left = self.result.progress.credits
        if left is None:
            return True
        if left > self._reserve:
            self.result.progress.credits = left - 1
            return True
        why = f"{left:,} credits are left today, and {self._reserve:,} are kept (LCW_CREDIT_RESERVE)"
        self.result.status, self.result.why = "credits", why
        return False

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


@contextmanager
def only_one(file: Path, log: Callable[[str], None]) -> Iterator[None]:
    """One backfill of a source at a time: two would ask for the same twice, and share one rate in any case.

    The kernel gives the place on when the process dies.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("another backfill is running: this one waits until it has ended")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
