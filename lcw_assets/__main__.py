"""`python -m lcw_assets`: how the last cycle went, from the facts in the tables."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Any

from lcw_assets.settings import DataSettings, SettingsError, load_dotenv_settings
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import WarehouseError
from lcw_assets.warehouse.spool import Spool
from lcw_assets.warehouse.tables import one_row


def main() -> int:
    try:
        settings = load_dotenv_settings()
        lines = summary(settings, datetime.now(timezone.utc))
    except (SettingsError, WarehouseError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def summary(settings: DataSettings, now: datetime) -> list[str]:
    """What a person wants to know after a cycle. Raises `WarehouseError`."""
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
    except WarehouseError as error:
        raise WarehouseError(f"{error}{spooled}") from None
    if values is None:
        return [f"no cycle in {settings.database} yet{spooled}"]
    size = settings.database.stat().st_size / 1e6
    return [
        *_cycle_lines(dict(zip(names, values, strict=True)), now),
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


if __name__ == "__main__":
    sys.exit(main())
