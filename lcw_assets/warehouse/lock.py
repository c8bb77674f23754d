"""Waits for the process that has the database open: with pauses, and logged once."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TypeVar

from lcw_assets.warehouse.errors import Holder, LockedError, LockWait

T = TypeVar("T")

# For loads, which can leave their data in the spool.
LOCK_WAIT_S = 5.0

# For work without a spool: somebody may leave a notebook open over lunch. Waiting only costs one of the run slots.
PATIENCE_S = 3600.0

# Each try costs 5 ms of a processor. A wait of seconds tries often, and so wins over a wait of an hour: a backfill does
# not take the file from a cycle.
_OFTEN_S, _SELDOM_S = 0.05, 1.0


def wait_for(connect: Callable[[], T], lock_wait_s: float, on_lock: Callable[[str], None]) -> tuple[T, LockWait]:
    """Call `connect` until it raises no `LockedError`; returns its result, and the wait.

    Raises that error after `lock_wait_s`. `on_lock` gets one line, if it is going to be a long wait.
    """
    began_at, started = datetime.now(timezone.utc), time.monotonic()
    waited_s, said = 0.0, lock_wait_s <= LOCK_WAIT_S
    holders: Counter[Holder] = Counter()  # several may open it in turn

    def wait() -> LockWait:
        return LockWait(began_at, waited_s, holders.most_common(1)[0][0] if holders else None)

    while True:
        try:
            return connect(), wait()
        except LockedError as error:
            holders[error.holder] += 1
            # A process that waits for itself would wait for ever.
            patience_s = min(lock_wait_s, LOCK_WAIT_S) if error.holder.own else lock_wait_s
            if waited_s >= patience_s:
                raise error.after(wait()) from None
            if waited_s >= LOCK_WAIT_S and not said:
                said = True
                on_lock(f"{error}: this waits for up to {duration(patience_s)}, and goes on when it is closed there")
        time.sleep(min(pause_s(waited_s), patience_s - waited_s))
        waited_s = time.monotonic() - started


def pause_s(waited_s: float) -> float:
    """Seconds until the next try."""
    return _OFTEN_S if waited_s < LOCK_WAIT_S else _SELDOM_S


def read_holder(said: str) -> Holder | None:
    """The process that has the file open, from DuckDB's error; null if it is another error."""
    if "different configuration" in said or "already attached" in said:
        return Holder(own=True)
    if "Could not set lock" not in said:
        return None
    # `held in /usr/bin/python3 (PID 12) by user root. See also https…`, or `held in PID 12` where the rest is hidden,
    # or nothing of it.
    holder = re.search(r"held in (?:(.+?) \()?PID (\d+)\)?(?: by user (\S+?))?(?:\.? See|$)", said)
    if holder is None:
        return Holder()
    program, pid, user = holder.groups()
    return Holder(program, int(pid), user)


def duration(seconds: float) -> str:
    """`45 s`, `20 min`, `1 h`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
