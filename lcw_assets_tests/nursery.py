"""Runs a task in one child process after the other, and kills them when it is told to.

Each line on standard input is one child: the seconds after which it is killed, or `never`. When it has ended, `ended`
is printed. Children are forked from here, with everything imported: this way every kill falls into the task itself.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable


def raise_children(task: Callable[[], object]) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            task()
            os._exit(0)
        if line.strip() != "never":
            time.sleep(float(line))
            os.kill(child, signal.SIGKILL)  # it is not reaped yet, so its id is nobody else's
        os.waitpid(child, 0)
        print("ended", flush=True)  # noqa: T201 - this is what the test waits for
