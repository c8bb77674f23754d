"""`python -m lcw_assets`: how the last cycle went, why a cycle was slow, a query, a test of the alert channels."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterable
from datetime import datetime, timezone

from lcw_assets import escape
from lcw_assets.cli import CommandError
from lcw_assets.cli.query import csv, table
from lcw_assets.cli.status import status
from lcw_assets.cli.why import why
from lcw_assets.settings import DataSettings, SettingsError, load_dotenv_settings
from lcw_assets.settings.environment import hidden_by_dotenv
from lcw_assets.sources.spec import SourceError
from lcw_assets.warehouse.errors import WarehouseError

_LONGEST = 10_000


def main() -> int:
    given = _parser().parse_args()
    try:
        settings = load_dotenv_settings()
        sys.stderr.writelines(f"{line}\n" for line in hidden_by_dotenv())
        return _run(given, settings, datetime.now(timezone.utc))
    except (CommandError, SettingsError, SourceError, WarehouseError) as error:
        sys.stderr.write(f"{escape.line(error, _LONGEST)}\n")
    except BrokenPipeError:  # `| head` has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lcw_assets", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("status", help="how the last cycle went, credits, alerts, the age of each table (the default)")
    why = commands.add_parser("why", help="one cycle: its phases, its slow calls, its cause, its run")
    why.add_argument("at", nargs="?", default="", help="14:32 or 2026-11-28T14:32, in UTC; the last cycle without it")
    sql = commands.add_parser("sql", help="a query, read only")
    sql.add_argument("query", help="such as: SELECT code, rate FROM market.current_coins LIMIT 10")
    sql.add_argument("--rows", type=int, default=100, help="how many rows are shown at most (100)")
    sql.add_argument("--csv", action="store_true", help="all rows, as CSV")
    commands.add_parser("alert-test", help="send a test to every channel of LCW_ALERT_URLS")
    return parser


def _run(given: argparse.Namespace, settings: DataSettings, now: datetime) -> int:
    if given.command == "alert-test":
        from lcw_assets.cli.alert_test import alert_test

        lines, well = alert_test(settings, now)
        _print(lines)
        return 0 if well else 1
    if given.command == "sql":
        if given.csv:
            csv(settings, given.query, sys.stdout)
        else:
            _print(table(settings, given.query, rows=given.rows, width=_width()))
        return 0
    if given.command == "why":
        _print(why(settings, given.at, now))
        return 0
    _print(status(settings, now))
    return 0


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{escape.line(line, _LONGEST)}\n" for line in lines)
    sys.stdout.flush()


def _width() -> int:
    """The width of the terminal; for a pipe, enough for the widest table but not for a payload of raw.pulls."""
    return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 500


if __name__ == "__main__":
    sys.exit(main())
