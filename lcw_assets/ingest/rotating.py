"""A load that runs for hours: its spool is a series of files, each stored while the next one is written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from lcw_assets.coordination import locks
from lcw_assets.coordination.disk import complaint
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import SpoolError
from lcw_assets.ingest.spool_writer import SpoolWriter
from lcw_assets.transport.facts import Attempt, Response

_NOW = partial(datetime.now, timezone.utc)


class RotatingSpool:
    """A sink for calls. Safe to use from several threads.

    Each file is a load of its own, numbered after `first`, and begins with a `planned` line of `endpoint`. Only the
    responses of that endpoint are stored. `responses` counts those in the open file, `repeats` the requests of all
    files beyond the first of a call.
    """

    def __init__(
        self,
        spool: Spool,
        first: Load,
        endpoint: str,
        planned: Mapping[str, Any],
        *,
        clock: Callable[[], datetime] = _NOW,
    ) -> None:
        self.responses = self.repeats = 0
        self._spool, self._first, self._clock = spool, first, clock
        self._endpoint, self._planned = endpoint, dict(planned)
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._number = 0
        self._started_at = first.started_at
        self._writer: SpoolWriter | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take responses until the block ends. However it ends, they are then ready to be stored."""
        self.rotate()
        try:
            yield
        finally:
            with self._lock:
                self._close()

    def rotate(self) -> None:
        """End the file, which may be stored from now on, and begin another one. Raises `SpoolError`."""
        with self._lock:
            self._close()
            self._number += 1
            self._started_at = now = self._clock()
            name = f"{self._first.load_id}-{self._number:05}"
            load = replace(self._first, load_id=name, clock_started_at=now, started_at=now)
            self._writer = self._stack.enter_context(self._spool.open(load))
            self._writer.plan([(self._endpoint, self._planned)])
            self.responses = 0

    def _close(self) -> None:
        if self._writer is not None:
            now = self._clock()
            self._writer.end(FetchEnd(now, (now - self._started_at).total_seconds(), []))
            self._writer = None
            self._stack.close()

    def attempt(self, attempt: Attempt) -> None:
        with self._lock:
            self.repeats += attempt.attempt > 1 and attempt.outcome != "deadline"
            if self._writer is not None:
                self._writer.attempt(attempt)

    def response(self, response: Response) -> None:
        with self._lock:
            if self._writer is not None and response.endpoint == self._endpoint:
                self._writer.response(response)
                self.responses += 1

    def refused(self, response: Response, reason: str) -> None:
        with self._lock:
            if self._writer is not None:
                self._writer.refused(response, reason)


@contextmanager
def only_one(file: Path, log: Callable[[str], None]) -> Iterator[None]:
    """One such load of a source at a time: two would request the same twice, and share one rate limit in any case.

    The kernel drops the lock when the process dies. Raises `SpoolError` if the disk does not take the file.
    """
    try:
        lock = locks.open_lock(file)
    except OSError as error:
        raise SpoolError(complaint(file.parent, error, "files")) from None
    try:
        if not locks.acquire(lock):
            log("another backfill is running: this one waits until it has ended")
            locks.wait_for(lock)
        yield
    finally:
        os.close(lock)
