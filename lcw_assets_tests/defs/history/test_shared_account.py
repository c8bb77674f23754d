"""A backfill is not alone: other programs spend the same credits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from lcw_assets.defs.history.plan import Span, WindowRequest
from lcw_assets.ingest.clock import DAY
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.history.harness import TODAY, Desk, Paced
from lcw_assets_tests.patience import PATIENCE_S


@dataclass(frozen=True)
class Disturbed(Paced):
    """In the middle of it another program with the same API key spends `credits_`."""

    address: str = ""
    credits_: int = 0

    def requests(self) -> Iterator[WindowRequest]:
        for number, request in enumerate(super().requests()):
            if number == 100:
                with requests.Session() as session:
                    for _ in range(self.credits_):
                        session.post(f"{self.address}/overview", json={}, timeout=PATIENCE_S).raise_for_status()
            yield request


def test_a_backfill_notices_that_others_spend_the_same_credits(start_simulator: StartSimulator, tmp_path: Path) -> None:
    """By its own count it would end with 269, over the reserve. After 250 calls it asks again, and learns of 198."""
    simulator, address = start_simulator(credits_per_day=600)
    desk = Desk(tmp_path, in_flight=1)
    made = desk.plan("coin_5min", Span(TODAY - 110 * DAY, TODAY), ["BTC"])
    assert made.calls == 330
    plan = Disturbed(**vars(made), address=address, credits_=150)
    result = desk.backfill(address, plan, reserve=200, report=plan.count, report_every_s=0.0)
    assert result.status == "credits"
    assert "are left today, and 200 are kept (LCW_CREDIT_RESERVE)" in result.why
    endpoints = [entry.endpoint for entry in simulator.ledger.entries]
    assert endpoints.count("credits") == 2
    assert endpoints.count("coins/single/history") in (250, 251)  # one may be on its way when it asks
