"""Somebody who has the database open: another process, such as a notebook or DuckDB's command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lcw_assets.orchestration import warehouse
from lcw_assets.warehouse import lock

HOLDER = "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


@contextmanager
def held_open(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Until the block ends, or its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "open\n"
        yield process
        assert process.stdin
        process.stdin.close()


class Clock:
    """The time of whoever waits for a lock: it passes with each pause, and none is slept. `pauses` are all of them.

    After `open_for_s` seconds of it the `holder` closes the file.
    """

    def __init__(self, holder: subprocess.Popen[str] | None = None, open_for_s: float = float("inf")) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._holder = holder
        self._open_for_s = open_for_s

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        if self._holder and self.now >= self._open_for_s:
            self._holder.communicate("")
            self._holder = None


def waits_by(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Clock:
    """From now on, whoever waits for a lock does so by this clock."""
    monkeypatch.setattr(lock, "time", clock)
    monkeypatch.setattr(warehouse, "time", clock)  # which knows when a run is to be over
    return clock
