"""The simulator in a process of its own. Its market moves a minute with each beat, and is worked out beforehand: what a
request waits for is the latency of the profile, and not the simulator's arithmetic.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta, timezone

import requests

from lcw_assets.defs.market.plan import plan_cycle
from lcw_assets.simulator.faults import PROFILES
from lcw_assets.simulator.server import Simulator

START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def main() -> None:
    minutes, beat_s = int(sys.argv[1]), int(sys.argv[2])
    began: float | None = None
    now = START

    def clock() -> datetime:
        return now if began is None else START + timedelta(minutes=(time.monotonic() - began) // beat_s)

    simulator = Simulator(clock=clock, credits_per_day=10**9)
    calls = plan_cycle(coins=1000, exchanges=100, currency="USD", meta=False)
    with simulator.serve() as address, requests.Session() as session:
        for minute in range(minutes, -1, -1):  # latest first: what is worked out is kept for later minutes only
            now = START + timedelta(minutes=minute)
            for call in calls:
                session.post(f"{address}/{call.endpoint}", json=call.request, timeout=60)
        simulator.profile = PROFILES["september"]
        began = time.monotonic()
        print(address, flush=True)
        sys.stdin.read()  # closed by whoever started this, or by their end


if __name__ == "__main__":
    main()
