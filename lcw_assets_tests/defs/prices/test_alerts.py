"""What is wrong with prices reaches people: checks of a run become alerts, and end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import dagster as dg

from lcw_assets.defs.monitoring.sensors import watch_checks, watch_runs
from lcw_assets.settings import load_settings
from lcw_assets.simulator.faults import Fault
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.defs.monitoring.test_sensors import Watch, alerts, instance
from lcw_assets_tests.defs.prices.rounds import SEVEN
from lcw_assets_tests.defs.prices.test_quote_prices import RunPrices, forget_responses, query, run_prices, venues

__all__ = ["instance", "run_prices", "venues"]


def live_coin_watch_says(share: float) -> None:
    """Its price of Bitcoin is this share of the consensus."""
    with open_database(load_settings().database) as db:
        db.execute("DELETE FROM market.coins")
        db.execute(
            "INSERT INTO market.coins (code, currency, observed_at, changed_at, cycle_id, rank, rate) "
            "SELECT symbol, 'USD', $now, $now, 'c', 1, $share * price FROM prices.latest WHERE symbol = 'BTC'",
            {"now": datetime.now(timezone.utc), "share": share},
        )


def test_no_quorum_a_source_out_a_depeg_and_live_coin_watch_off_are_alerts_until_they_are_over(
    run_prices: RunPrices,
    venues: Callable[..., Any],
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
) -> None:
    watch = Watch(watch_checks, instance, definitions)
    venues()
    assert run_prices().success
    live_coin_watch_says(1.0)
    assert watch.evaluate() == "nothing is wrong"
    assert alerts() == []

    forget_responses()
    live_coin_watch_says(1.02)
    out = {"binance": Fault("ban"), "bybit": Fault("country"), "bitstamp": Fault("error", status=501)}
    venues(**{**dict.fromkeys(SEVEN, "depeg"), **out})
    assert run_prices().success
    assert watch.evaluate().startswith("open: ")
    wanted = {
        "prices/consensus:quorum", "prices/consensus:lcw_deviation", "prices/source_health:sources_out",
        "prices/rates:depeg", "prices/source_loads:complete",
    }  # fmt: skip
    assert set(alerts()) == {(incident, "opened", "warning") for incident in wanted}
    said = dict(query("SELECT incident, what FROM ops.alerts"))
    assert said["prices/consensus:quorum"] == "no price of BNB (no_quorum)"
    assert said["prices/rates:depeg"].startswith("one USDT is 0.97")
    assert said["prices/consensus:lcw_deviation"].startswith("Live Coin Watch is over 1.00 % off: BTC (+")
    assert "binance (banned, " in said["prices/source_health:sources_out"]

    forget_responses()
    live_coin_watch_says(1.0)
    venues()
    with open_database(load_settings().database) as db:  # two minutes later: their pauses are over
        db.execute("UPDATE prices.source_health SET probe_at = now() WHERE probe_at IS NOT NULL")
    for file in (load_settings().data_dir / "limits").iterdir():
        file.unlink()
    assert run_prices().success
    watch.later(200)
    assert watch.evaluate() == "nothing is wrong"
    ended = {incident for incident, kind, _ in alerts() if kind == "recovered"}
    assert ended == wanted


def test_where_nobody_responds_the_failed_run_is_the_alert(
    run_prices: RunPrices,
    venues: Callable[..., Any],
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
) -> None:
    watch = Watch(watch_runs, instance, definitions)
    venues()
    assert run_prices().success
    assert watch.evaluate() == "nothing is wrong"
    forget_responses()
    venues(**dict.fromkeys(SEVEN, Fault("error", status=501)))
    assert not run_prices().success
    assert watch.evaluate().startswith("open: job quote_prices since ")
    assert alerts() == [("job quote_prices", "opened", "critical")]
