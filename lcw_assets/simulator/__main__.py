"""`python -m lcw_assets.simulator --port 8899 --profile flaky`: the simulator alone, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from lcw_assets.simulator.discovery import discover, profiles
from lcw_assets.simulator.server import Simulator


def main(argv: list[str] | None = None) -> None:
    providers = discover()
    parser = argparse.ArgumentParser(prog="python -m lcw_assets.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8899, help="loopback port; 0 takes a free one (8899)")
    parser.add_argument("--profile", choices=sorted(profiles(providers)), default="none", help="what goes wrong (none)")
    parser.add_argument("--seed", type=int, default=1, help="the market and its faults are the same for a seed (1)")
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE", dest="ledger_file", help="append what was served, a JSON line a request"
    )
    parser.add_argument(
        "--unmarked",
        action="store_false",
        dest="marked",
        help="do not say that responses are simulated: to rehearse with LCW_API_KEY",
    )
    for provider in providers:
        group = parser.add_argument_group(provider.title)
        for option in provider.options:
            group.add_argument(
                option.flag or f"--{option.name.replace('_', '-')}",
                dest=option.name,
                type=option.type,
                default=argparse.SUPPRESS,
                help=option.help,
            )
    options = vars(parser.parse_args(argv))
    port = options.pop("port")
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the server's thread starts, so that sigwait gets them
    try:
        with Simulator(**options).serve(port) as address:
            sys.stdout.write(f"The simulated market is at {address} (profile {options['profile']}); Ctrl-C ends it\n")
            for provider in providers:
                sys.stdout.write(f"{provider.title}: {provider.setting}={provider.address(address)}\n")
            sys.stdout.flush()
            signal.sigwait(ends)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
