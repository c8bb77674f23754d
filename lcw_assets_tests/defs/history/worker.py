"""A backfill in a process of its own, to be killed: `python -m lcw_assets_tests.defs.history.worker ADDRESS FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from lcw_assets.defs.history.plan import Span
from lcw_assets.ingest.clock import DAY
from lcw_assets_tests.defs.history.harness import TODAY, Desk

COINS = [*("BTC", "ETH", "DOGE", "NOSUCH"), *("0xBTC", "XRP", "LTC", "ADA")]
WANTED = Span(TODAY - 120 * DAY, TODAY)

if __name__ == "__main__":
    desk = Desk(Path(sys.argv[2]))
    desk.backfill(sys.argv[1], desk.plan("coin_hourly", WANTED, COINS))
