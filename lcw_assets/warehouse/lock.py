"""Waiting for whoever has the database open: patiently or not, never busily, and said once."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TypeVar

from lcw_assets.warehouse.errors import Holder, LockedError, LockWait

T = TypeVar("T")

# Of those who have a spool to leave their work in.
LOCK_WAIT_S = 5.0

# Of those who have none: a notebook that is open over lunch. Waiting costs a place among the runs and nothing else.
PATIENCE_S = 3600.0

# Each look costs 5 ms of a processor. Whoever waits for seconds looks often, and so is there before those who wait for
# an hour: a backfill that waits does not take the file from a cycle.
_OFTEN_S, _SELDOM_S = 0.05, 1.0


def wait_for(connect: Callable[[], T], lock_wait_s: float, on_lock: Callable[[str], None]) -> tuple[T, LockWait]:
    """What `connect` gives once it raises no `LockedError` any more, and what it waited for until then.

    Raises it once that was `lock_wait_s`. `on_lock` gets one line, if it is going to be a long wait.
    """
    began_at, started = datetime.now(timezone.utc), time.monotonic()
    waited_s, said = 0.0, lock_wait_s <= LOCK_WAIT_S
    holders: Counter[Holder] = Counter()  # several may have it open in turn

    def wait() -> LockWait:
        return LockWait(began_at, waited_s, holders.most_common(1)[0][0] if holders else None)

    while True:
        try:
            return connect(), wait()
        except LockedError as error:
            holders[error.holder] += 1
            # Who waits for itself would wait for ever.
            patience_s = min(lock_wait_s, LOCK_WAIT_S) if error.holder.own else lock_wait_s
            if waited_s >= patience_s:
                raise error.after(wait()) from None
            if waited_s >= LOCK_WAIT_S and not said:
                said = True
                on_lock(f"{error}: this waits for up to {duration(patience_s)}, and goes on when it is closed there")
        time.sleep(min(pause_s(waited_s), patience_s - waited_s))
        waited_s = time.monotonic() - started


def pause_s(waited_s: float) -> float:
    """Seconds until the next look."""
    return _OFTEN_S if waited_s < LOCK_WAIT_S else _SELDOM_S


def read_holder(said: str) -> Holder | None:
    """Who has the file open, by what DuckDB says; null if it says something else."""
    if "different configuration" in said or "already attached" in said:
        return Holder(own=True)
    if "Could not set lock" not in said:
        return None
    # `held in /usr/bin/python3 (PID 12) by user root. See also https…`, or `held in PID 12` where the rest is not to be
    # seen, or nothing of it.
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
