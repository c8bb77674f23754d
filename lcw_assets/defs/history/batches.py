"""The spool of a backfill that runs for hours: a file for every few hundred answers, so that they can be stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timezone

from lcw_assets.defs.history.series import Series
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_writer import SpoolWriter
from lcw_assets.transport.facts import Attempt, Response


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Batches:
    """A sink for calls. `answers` counts those in the file that is open, `repeats` the requests beyond the first of a
    call, which cost credits as well. Safe to use from several threads.

    `begins` says whether the series is to be kept up to date from here on.
    """

    def __init__(
        self, spool: Spool, series: Series, first: Load, *, begins: bool = True, clock: Callable[[], datetime] = _now
    ) -> None:
        self.answers = 0
        self.repeats = 0
        self._begins = begins
        self._spool = spool
        self._series = series
        self._first = first
        self._clock = clock
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._number = 0
        self._began_at = first.started_at
        self._writer: SpoolWriter | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take answers until the block ends, however it ends: what came is then ready to be stored."""
        self.rotate()
        try:
            yield
        finally:
            with self._lock:
                self._close()

    def rotate(self) -> None:
        """End the file, which may be stored from now on, and begin another one."""
        with self._lock:
            self._close()
            self._number += 1
            self._began_at = self._clock()
            batch = replace(
                self._first,
                load_id=f"{self._first.load_id}-{self._number:05}",
                clock_started_at=self._began_at,
                started_at=self._began_at,
            )
            self._writer = self._stack.enter_context(self._spool.open(batch))
            self._writer.plan([(self._series.endpoint, {"series": self._series.name, "begins": self._begins})])
            self.answers = 0

    def _close(self) -> None:
        if self._writer is not None:
            now = self._clock()
            self._writer.end(FetchEnd(now, (now - self._began_at).total_seconds(), []))
            self._writer = None
            self._stack.close()

    def attempt(self, attempt: Attempt) -> None:
        with self._lock:
            self.repeats += attempt.attempt > 1 and attempt.outcome != "deadline"
            if self._writer is not None:
                self._writer.attempt(attempt)

    def answer(self, answer: Response) -> None:
        with self._lock:
            if self._writer is not None and answer.endpoint == self._series.endpoint:  # not `credits`
                self._writer.answer(answer)
                self.answers += 1

    def refused(self, answer: Response, reason: str) -> None:
        with self._lock:
            if self._writer is not None:
                self._writer.refused(answer, reason)
