"""The day's credits, as far as known, and how many a backfill may spend."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from lcw_assets.coordination import files


class CreditBudget:
    """Credits above `reserve` may be spent. Safe to use from several threads.

    `file` keeps the last known number, so that a run without credits need not spend one to learn it. A file that is
    missing, old or damaged counts as unknown.
    """

    def __init__(self, file: Path, reserve: int, now: datetime) -> None:
        self.reserve = reserve
        self._file = file
        self._day = now.strftime("%Y-%m-%d")
        self._left: int | None = self._saved()
        self._lock = threading.Lock()

    @property
    def left(self) -> int | None:
        return self._left

    @property
    def exhausted(self) -> bool:
        return self._left is not None and self._left <= self.reserve

    def update(self, left: int) -> None:
        """What the API reports, minus the calls in flight."""
        with self._lock:
            self._left = left

    def spend(self, credits_: int = 1) -> bool:
        """Take credits for calls, if so many may be spent. Unknown ones count as available."""
        with self._lock:
            if self.exhausted:
                return False
            if self._left is not None:
                self._left -= credits_
            return True

    def save(self) -> None:
        """If the disk does not take it, the next run asks the API instead."""
        if self._left is not None:
            with suppress(OSError):
                files.write_file(self._file, json.dumps({"day": self._day, "left": self._left}))

    def why(self) -> str:
        return f"{self._left or 0:,} credits are left today, and {self.reserve:,} are kept (LCW_CREDIT_RESERVE)"

    def _saved(self) -> int | None:
        try:
            known = json.loads(self._file.read_text())
            return int(known["left"]) if known["day"] == self._day else None
        except (OSError, ValueError, TypeError, LookupError):
            return None
