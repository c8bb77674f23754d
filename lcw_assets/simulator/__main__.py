"""`python -m lcw_assets.simulator --port 8899 --profile flaky`: the simulator alone, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from lcw_assets.simulator.faults import PROFILES
from lcw_assets.simulator.server import Simulator


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m lcw_assets.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8899, help="loopback port; 0 takes a free one (8899)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="none", help="what goes wrong (none)")
    parser.add_argument("--seed", type=int, default=1, help="the market and its faults are the same for a seed (1)")
    parser.add_argument("--api-key", help="answer only who sends this key")
    parser.add_argument("--credits", type=int, default=10_000, help="credits a day (10000)")
    parser.add_argument("--contracts", type=int, default=500, help="KuCoin futures contracts, about (500)")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="serve recorded answers instead of the market")
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="append what was served, a JSON line a request")
    parser.add_argument(
        "--unmarked", action="store_true", help="do not say that answers are simulated: to rehearse with LCW_API_KEY"
    )
    args = parser.parse_args(argv)
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the server's thread starts, so that sigwait gets them
    try:
        simulator = Simulator(
            profile=args.profile,
            seed=args.seed,
            api_key=args.api_key,
            credits_per_day=args.credits,
            contracts=args.contracts,
            replay=args.replay,
            ledger_file=args.ledger,
            marked=not args.unmarked,
        )
        with simulator.serve(args.port) as address:
            sys.stdout.write(f"Live Coin Watch, simulated, at {address} (profile {args.profile}); Ctrl-C ends it\n")
            sys.stdout.write(f"Try it: LCW_BASE_URL={address} make cycle\n")
            sys.stdout.write(f"KuCoin's futures contracts are there as well: KUCOIN_FUTURES_BASE_URL={address}\n")
            sys.stdout.flush()
            signal.sigwait(ends)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
