"""What the shared rate limit costs a cycle: `python -m benchmarks.rate_limit`. Fourteen places, again and again."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.report import table
from lcw_assets.coordination.rate_limit import Rate, RateLimit


def main() -> None:
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(200):
            started = time.perf_counter()
            limit = RateLimit(Path(folder) / "lcw", Rate(per_s=1e6, burst=16))
            for _ in range(14):
                limit.take()
            seconds.append(1e3 * (time.perf_counter() - started))
    print(table("the rate limit, a cycle of 14 calls", {"14 places": seconds}, unit="ms", budget="under 5 ms"))


if __name__ == "__main__":
    main()
