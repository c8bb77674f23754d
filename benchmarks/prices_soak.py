"""Rounds of prices through outages, bans and liars: `python -m benchmarks.prices_soak [rounds]`, 4,235 by default.

Each round is real: calls to the simulated exchanges on loopback, the spool, the store. Only the clock is not: rounds
are a minute apart in it. Every source has good stretches and bad ones; at most two lie at once, and others may be out
meanwhile. Then it says whether what docs/prices.md promises has held.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from lcw_assets.defs.prices.storing import RoundData
from lcw_assets.simulator.books import DEPEG
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.server import Simulator
from lcw_assets_tests.defs.prices.rounds import SEVEN, Prices

ROUNDS = 4_235

# What a liar sends, and what one that is out sends.
LIES = ("jump", "drift", "stuck", "yesterday", "mixed", "depeg", "lag", "zeros", "crossed", "twice", "stale_last")
OUTAGES: Mapping[str, Fault] = {
    "503": Fault("error", status=503),
    "page": Fault("html", status=521),
    "cut": Fault("truncated"),
    "reset": Fault("reset"),
    "ban": Fault("ban"),
    "country": Fault("country"),
    "busy": Fault("busy"),
    "empty": Fault("empty"),
    "slow": Fault(delay_s=3.0),
}
_DEADLINE_S = 1.5
_MOST_LIARS = 2

# The simulated exchanges differ from the true price by up to 0.01 % for the largest coin and more for smaller ones.
BOUND = 0.001


@dataclass
class Plan:
    """What each source does in each round: null is honest, `depeg` of all is real and a lie of two."""

    rounds: int
    faults: list[dict[str, str]] = field(default_factory=list)
    fallen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        random = Random(20261128)  # noqa: S311
        left = {name: random.randrange(20, 200) for name in SEVEN}
        now: dict[str, str] = {}
        for number in range(self.rounds):
            for name in SEVEN:
                left[name] -= 1
                if left[name] > 0:
                    continue
                if name in now:
                    del now[name]
                    left[name] = random.randrange(60, 500)
                else:
                    liars = sum(kind in LIES for kind in now.values())
                    kinds = [*OUTAGES, *(LIES if liars < _MOST_LIARS else ())]
                    now[name] = random.choice(kinds)
                    left[name] = random.choice((3, 10, 30, 90))
            if number // 50 % 20 == 7:
                self.fallen.add(number)
            self.faults.append(dict(now))

    def fault(self, number: int, draw: Draw) -> Fault:
        kind = self.faults[number].get(draw.provider, "depeg" if number in self.fallen else "none")
        return OUTAGES.get(kind) or Fault(kind)


@dataclass
class Verdict:
    """What was seen. `owed` counts symbol-rounds with three honest sources that respond, `paid` those of them that have
    a price; `fallen_` ones are of rounds in which USDT really falls: two liars among those who measure it may hide it.
    """

    furthest: float = 0.0
    wrong: list[str] = field(default_factory=list)
    owed: int = 0
    paid: int = 0
    fallen_owed: int = 0
    fallen_paid: int = 0
    priced: int = 0
    symbol_rounds: int = 0
    absent: Counter[str] = field(default_factory=Counter)
    late: list[str] = field(default_factory=list)
    over_limit: int = 0
    calls: int = 0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return not self.wrong and not self.late and not self.over_limit and self.paid >= 0.999 * self.owed

    def __str__(self) -> str:
        lines = [
            f"{self.symbol_rounds:,} symbol-rounds, {self.priced:,} priced, the furthest {100 * self.furthest:.3f} % "
            f"off (bound {100 * BOUND:g} %), {len(self.wrong)} beyond it",
            f"with three honest sources up: {self.paid:,} of {self.owed:,} priced"
            f" ({100 * self.paid / max(self.owed, 1):.2f} %, 99.9 wanted)",
            f"the same while USDT falls: {self.fallen_paid:,} of {self.fallen_owed:,}",
            f"without a price: {', '.join(f'{reason} {count}' for reason, count in self.absent.items()) or 'none'}",
            f"health not right within two rounds: {len(self.late)}",
            f"calls {self.calls:,}, over a limit {self.over_limit}; {self.seconds:.0f} s",
            *self.wrong[:10],
            *self.late[:10],
            "holds" if self.holds else "does NOT hold",
        ]
        return "\n".join(lines)


def soak(rounds: int, folder: Path) -> Verdict:
    plan, verdict = Plan(rounds), Verdict()
    number = 0
    options: dict[str, Any] = {f"{name}_markets": 12 for name in SEVEN}
    simulator = Simulator(profile=lambda draw: plan.fault(number, draw), **options)
    began = time.monotonic()
    bad_for: Counter[str] = Counter()
    good_for: Counter[str] = Counter()
    with simulator.serve() as address:
        prices = Prices(folder, address, simulator)
        for number in range(rounds):
            calls = len(simulator.ledger.entries)
            data = prices.data(deadline_s=_DEADLINE_S)
            entries = simulator.ledger.entries[calls:]
            verdict.calls += len(entries)
            verdict.over_limit += sum(entry.fault == "none" and entry.status in (418, 429) for entry in entries)
            _judge_prices(verdict, prices, plan, number, data)
            called = {entry.provider for entry in entries}
            _judge_health(verdict, plan.faults[number], called, data, bad_for, good_for, number)
            if number % 200 == 199:
                print(f"{number + 1} rounds in {time.monotonic() - began:.0f} s", flush=True)
    verdict.seconds = time.monotonic() - began
    return verdict


def _judge_prices(verdict: Verdict, prices: Prices, plan: Plan, number: int, data: RoundData) -> None:
    out = plan.faults[number]
    for one in data.round.consensus:
        verdict.symbol_rounds += 1
        if one.price is None:
            verdict.absent[one.reason.code if one.reason else "?"] += 1
        else:
            verdict.priced += 1
            off = abs(one.price / prices.true_price(one.coin, data.round.at) - 1)
            verdict.furthest = max(verdict.furthest, off)
            if off > BOUND:
                verdict.wrong.append(f"round {number}: {one.coin} is {100 * off:.2f} % off: {out}")
        up = [name for name in SEVEN if name not in out and data.names.instruments.trades(name, one.coin)]
        if len(up) >= 3:
            if number in plan.fallen:
                verdict.fallen_owed += 1
                verdict.fallen_paid += one.price is not None
            else:
                verdict.owed += 1
                verdict.paid += one.price is not None


def _judge_health(
    verdict: Verdict,
    out: Mapping[str, str],
    called: set[str],
    data: RoundData,
    bad_for: Counter[str],
    good_for: Counter[str],
    number: int,
) -> None:
    """By the second call that fails a source is out, and by the second that succeeds it is not."""
    for name in SEVEN:
        state = data.healths[name].state
        fails = out.get(name) in OUTAGES
        if name in called:
            bad_for[name] = bad_for[name] + 1 if fails else 0
            good_for[name] = 0 if name in out else good_for[name] + 1
        if bad_for[name] >= 2 and fails and state not in ("out", "probing"):
            verdict.late.append(f"round {number}: {name} is {state} after {bad_for[name]} calls with {out[name]}")
        if good_for[name] >= 2 and name not in out and state in ("out", "probing"):
            verdict.late.append(f"round {number}: {name} is {state} after {good_for[name]} good calls")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        verdict = soak(rounds, Path(folder))
    print(f"{verdict} (USDT falls to {DEPEG} of itself for 50 of 1,000 rounds)")
    sys.exit(0 if verdict.holds else 1)


if __name__ == "__main__":
    main()
