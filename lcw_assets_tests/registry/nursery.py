"""Stores what waits in a folder, in one child process after the other, and kills them when it is told to.

`python -m lcw_assets_tests.registry.nursery FOLDER`: each line on standard input is the seconds after which a child is
killed. When it has ended, `ended` is printed. Children are forked from here, so that every kill falls into the storing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import duckdb  # noqa: F401 - imported before forking

from lcw_assets_tests.registry.syncs import Registry


def main() -> None:
    registry = Registry(Path(sys.argv[1]))
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            registry.store_and_tell()
            os._exit(0)
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)  # it is not reaped yet, so its id is nobody else's
        os.waitpid(child, 0)
        print("ended", flush=True)  # noqa: T201 - this is what the test waits for


if __name__ == "__main__":
    main()
