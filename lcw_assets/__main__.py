"""`python -m lcw_assets`: how the last cycle went. `python -m lcw_assets alert-test`: do all channels take alerts?"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from lcw_assets import escape
from lcw_assets.alerts.channels import read_channels, send_all
from lcw_assets.alerts.incidents import Alert
from lcw_assets.environment import hidden_by_dotenv
from lcw_assets.performance.measures import Window, judge, read_measures
from lcw_assets.performance.sla import SlaError, load_sla
from lcw_assets.settings import DataSettings, SettingsError, load_dotenv_settings
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import WarehouseError
from lcw_assets.warehouse.spool import Spool
from lcw_assets.warehouse.tables import one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lcw_assets", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("status", "alert-test"), default="status")
    now = datetime.now(timezone.utc)
    try:
        settings = load_dotenv_settings()
        sys.stderr.writelines(f"{line}\n" for line in hidden_by_dotenv())
        if parser.parse_args().what == "alert-test":
            lines, well = alert_test(settings, now)
        else:
            lines, well = summary(settings, now), True
    except (SettingsError, WarehouseError) as error:
        sys.stderr.write(f"{escape.line(error, 10_000)}\n")
        return 1
    sys.stdout.write("\n".join(map(escape.line, lines)) + "\n")
    return 0 if well else 1


def alert_test(settings: DataSettings, now: datetime) -> tuple[list[str], bool]:
    """Send a test to every channel. Gives a line for each, and whether all took it."""
    urls = settings.alert_urls.get_secret_value() if settings.alert_urls else None
    channels, wrong = read_channels(urls)
    if not urls:
        return ["LCW_ALERT_URLS is not set: alerts go to the log and to ops.alerts alone"], True
    alert = Alert(
        incident="test",
        kind="opened",
        severity="warning",
        raised_at=now,
        since=now,
        what="This is a test: nothing is wrong.",
        cause=None,
        run_id=None,
    )
    results = send_all(channels, alert, None)
    lines = [f"{name}: {'taken' if why is None else f'NOT TAKEN: {why}'}" for name, why in results.items()]
    lines += [f"{number}: NOT USED: {why}" for number, why in wrong.items()]
    return lines, not wrong and not any(results.values())


def summary(settings: DataSettings, now: datetime) -> list[str]:
    """What a person wants to know after a cycle. Raises `WarehouseError`."""
    import duckdb

    waiting = Spool(settings.spool_dir).pending()
    spooled = f"; waiting to be stored, in {settings.spool_dir}: {len(waiting)}" if waiting else ""
    try:
        with open_database(settings.database, read_only=True) as db:
            last = db.execute("SELECT * FROM ops.cycles ORDER BY cycle_id DESC LIMIT 1")
            names = [column[0] for column in last.description or ()]
            values = last.fetchone()
            coins, ticks, cycles = one_row(
                db,
                "SELECT (SELECT count(*) FROM market.coins), (SELECT count(*) FROM market.coin_ticks), "
                "(SELECT count(*) FROM ops.cycles)",
            )
            speed = _speed_line(db, settings, now)
    except WarehouseError as error:
        raise WarehouseError(f"{error}{spooled}") from None
    except duckdb.CatalogException:
        return [f"no tables in {settings.database} yet: `make cycle` makes them{spooled}"]
    if values is None:
        return [f"no cycle in {settings.database} yet{spooled}"]
    size = settings.database.stat().st_size / 1e6
    return [
        *_cycle_lines(dict(zip(names, values, strict=True)), now),
        speed,
        f"data     {settings.database}: coins {coins:,}, ticks {ticks:,}, cycles {cycles:,}, {size:.1f} MB{spooled}",
        "look     make dev, then http://127.0.0.1:3000",
    ]


def _cycle_lines(row: dict[str, Any], now: datetime) -> list[str]:
    phases = ("queue", "start", "pull", "handover", "lock_wait", "store")
    seconds = " + ".join(f"{phase.replace('_', ' ')} {row[f'{phase}_s'] or 0:.2f}" for phase in phases)
    age = (now - row["committed_at"]).total_seconds()
    return [
        "",
        f"cycle    {row['cycle_id']}: {row['status']}, {age:.0f} s ago, from {row['source']}",
        f"rows     {row['coins_seen']:,} coins, {row['coins_changed']:,} changed, {row['quarantined']} quarantined",
        f"calls    {row['calls']}, {row['retries']} of them repeats, {row['bytes'] / 1e3:,.0f} KB",
        f"seconds  {row['cycle_s']:.2f} = {seconds}",
        *(f"missing  {missed}" for missed in row["missing"]),
    ]


def _speed_line(db: DuckDBPyConnection, settings: DataSettings, now: datetime) -> str:
    try:
        sla = load_sla(settings.sla_file)
    except SlaError as error:
        return f"speed    not judged: {error}"
    measures = read_measures(db, Window.before(now, 72), sla.seconds())
    if measures.mean_s is None:
        return "speed    no cycle in the last 72 hours"
    missed = {
        name: sum(not verdict.passed for verdict in judge(targets, measures)) for name, targets in sla.sets.items()
    }
    return (
        f"speed    {measures.cycles:,} cycles in 72 hours: mean {measures.mean_s:.2f} s, p99 {measures.p99_s:.2f} s, "
        f"slowest {measures.slowest_s:.2f} s; targets "
        + ", ".join(
            f"{name.replace('_', ' ')} {f'{count} missed' if count else 'met'}" for name, count in missed.items()
        )
    )


if __name__ == "__main__":
    sys.exit(main())
