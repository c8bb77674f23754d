"""`make status`: each line, from facts in a real database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from lcw_assets.__main__ import main
from lcw_assets.cli.status import status
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.settings import DataSettings
from lcw_assets.sources.kucoin_futures.spec import SOURCE as KUCOIN
from lcw_assets.sources.spec import group, loaded_together
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import WarehouseError
from lcw_assets_tests.defs.monitoring.facts import NOON, cycle, load
from lcw_assets_tests.sources.toy import AddSource, add_source

__all__ = ["add_source"]

NOW = NOON + timedelta(minutes=10)


@contextmanager
def facts() -> Iterator[DuckDBPyConnection]:
    settings = DataSettings()
    settings.data_dir.mkdir(exist_ok=True)
    with open_database(settings.database) as db:
        yield db


def lines(now: datetime = NOW) -> dict[str, str]:
    """The lines by their first word."""
    return dict(line.split(maxsplit=1) for line in status(DataSettings(), now) if line)


def pulled_credits(row: dict[str, Any], payload: str, at: datetime = NOON) -> dict[str, Any]:
    return {
        "cycle_id": row["cycle_id"],
        "source": "lcw",
        "endpoint": "credits",
        "request": {},
        "requested_at": at.isoformat(),
        "received_at": at.isoformat(),
        "http_status": 200,
        "payload": payload,
    }


CREDITS = '{"dailyCreditsRemaining": 9120, "dailyCreditsLimit": 10000}'


def alert(incident: str, kind: str, at: datetime, severity: str = "warning") -> dict[str, Any]:
    return {
        "alert_id": f"{at:%Y%m%dT%H%M%S}-{incident}-{kind}",
        "incident": incident,
        "kind": kind,
        "severity": severity,
        "raised_at": at.isoformat(),
        "since": NOON.isoformat(),
        "what": "it broke",
        "delivered": [],
        "undelivered": [],
    }


def test_the_credits_that_are_left_are_those_of_the_latest_response() -> None:
    first, second = cycle(1, NOON, 2.0, calls=13), cycle(2, NOON + timedelta(minutes=1), 2.0, calls=14)
    with facts() as db:
        load(db, "ops.cycles", [first, second])
        load(db, "raw.pulls", [pulled_credits(first, CREDITS)])
    assert lines()["credits"] == "9,120 of 10,000 left today, 10 min ago, less 14 calls since"


def test_credits_begin_anew_with_the_day() -> None:
    row = cycle(1, NOON, 2.0)
    with facts() as db:
        load(db, "ops.cycles", [row])
        load(db, "raw.pulls", [pulled_credits(row, CREDITS)])
    assert lines(NOON + timedelta(hours=13))["credits"] == "not known yet today; 10,000 a day"


@pytest.mark.parametrize("payload", [None, "<html>busy</html>"])
def test_credits_that_nobody_has_said_are_not_known(payload: str | None) -> None:
    row = cycle(1, NOON, 2.0)
    with facts() as db:
        load(db, "ops.cycles", [row])
        if payload:
            load(db, "raw.pulls", [pulled_credits(row, payload)])
    assert lines()["credits"] == "not known: no response of the last 100 cycles has how many are left"


def test_alerts_are_open_until_they_are_over() -> None:
    later = NOON + timedelta(minutes=5)
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
        rows = [
            alert("schedule", "opened", NOON),
            alert("cycle_time", "opened", NOON),
            alert("cycle_time", "escalated", later, "critical"),
            alert("spool", "opened", NOON),
            alert("spool", "recovered", later),
            alert("listed", "news", later),
        ]
        load(db, "ops.alerts", rows)
    assert lines()["alerts"] == (
        "2 open: cycle_time (critical, since 12:00:00 UTC), schedule (warning, since 12:00:00 UTC)"
    )
    # What goes on is reported every six hours at the longest: nobody has watched since.
    assert lines(NOW + timedelta(hours=7))["alerts"] == "none open"


def test_alerts_on_their_way_are_counted() -> None:
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
    DataSettings().alerts_dir.mkdir(parents=True)
    (DataSettings().alerts_dir / "x.json").write_text("{}")
    assert lines()["alerts"] == "none open; 1 wait to be delivered or stored"


def test_each_source_has_a_line_with_its_age_and_what_waits() -> None:
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
        coin = {"code": "BTC", "currency": "USD", "cycle_id": "x", "changed_at": NOON.isoformat()}
        load(db, "market.coins", [coin | {"observed_at": (NOW - timedelta(seconds=12)).isoformat()}])
    folder = DataSettings().of(KUCOIN).spool_dir
    for minute in range(2):
        sync = Load.begun(f"sync-{minute}", "token_registry_sync", NOON, run_id="x", source="kucoin-simulator")
        with Spool(folder).open(sync) as spool:
            spool.end(FetchEnd(NOON, 0.1, []))
    said = lines()
    assert said["lcw"] == "Live Coin Watch, 12 s old"
    assert said["kucoin"] == f"KuCoin Futures, no data yet; waiting to be stored, in {folder}: 2"


def health(source: str, state: str, since: datetime) -> dict[str, Any]:
    return {
        "source": source,
        "state": state,
        "since": since.isoformat(),
        "reasons": "[]",
        "calls": 1,
        "bytes": 1,
        "cost": 0.0,
        "checked_at": NOW.isoformat(),
    }


def test_a_group_of_sources_has_one_line_with_who_is_out() -> None:
    quote = {
        "load_id": "x", "priced_at": NOW.isoformat(), "source": "kraken", "symbol": "BTC", "market": "XXBTZUSD",
        "currency": "USD", "time_kind": "none", "received_at": (NOW - timedelta(seconds=20)).isoformat(), "age_s": 0.0,
        "role": "used",
    }  # fmt: skip
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
        load(db, "prices.quotes", [quote])
        load(db, "prices.source_health", [health("kraken", "healthy", NOON), health("okx", "degraded", NOON)])
    title = f"{len(group('prices').sources)} sources"
    assert lines()["prices"] == f"{title}, 20 s old"
    with facts() as db:
        rows = [
            health("binance", "out", NOON),
            health("bybit", "probing", NOON - timedelta(days=2)),
            health("gone", "out", NOON),  # of a version that knew it
        ]
        load(db, "prices.source_health", rows)
    said = lines()["prices"]
    assert said == f"{title}, 20 s old; out: binance since 12:00:00 UTC, bybit since 2026-11-18 12:00:00 UTC"
    folder = DataSettings().of(group("prices")).spool_dir
    with Spool(folder).open(Load.begun("r", "quote_prices", NOON, run_id="x", source="prices-simulator")) as spool:
        spool.end(FetchEnd(NOON, 0.1, []))
    assert lines()["prices"] == f"{said}; waiting to be stored, in {folder}: 1"


OFF = "Live Coin Watch is off: LCW_API_KEY is not set, and in live mode nothing is simulated: set it, or LCW_MODE=demo"


def test_a_source_that_is_off_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_MODE", "live")
    with pytest.raises(WarehouseError, match=f"lcw.duckdb does not exist yet.*; {OFF}$"):
        status(DataSettings(), NOW)
    with facts():
        pass
    without = status(DataSettings(), NOW)
    assert len(without) == 1 + len(loaded_together())
    assert [line for line in without[1:] if not line.endswith(", no data yet")] == [
        f"lcw      Live Coin Watch, no data yet; {OFF}"
    ]
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
    assert lines()["lcw"] == f"Live Coin Watch, no data yet; {OFF}"


def test_a_wrong_mode_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LCW_MODE", "test")
    monkeypatch.setattr(sys, "argv", ["lcw_assets"])
    assert main() == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("LCW_MODE=test: it must be demo or live, or not set")


def test_a_wrong_declaration_is_one_line(
    add_source: AddSource, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = add_source(spec="SOURCE = None")
    monkeypatch.setattr(sys, "argv", ["lcw_assets"])
    assert main() == 1
    assert capsys.readouterr().err == f"{file} has no SOURCE: expected SOURCE = Source(...)\n"


def test_each_table_has_its_age() -> None:
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
        coin = {"code": "BTC", "currency": "USD", "cycle_id": "x", "changed_at": NOON.isoformat()}
        load(db, "market.coins", [coin | {"observed_at": (NOW - timedelta(seconds=12)).isoformat()}])
        asked = {
            "series": "coin_daily",
            "code": "BTC",
            "currency": "USD",
            "window_start": (NOON - timedelta(days=100)).isoformat(),
            "window_end": (NOON - timedelta(days=1)).isoformat(),
            "asked_at": NOON.isoformat(),
            "points": 100,
            "outcome": "points",
            "begins": True,
            "batch_id": "x",
        }
        load(db, "history.asked", [asked, asked | {"series": "overview_daily", "begins": False}])
        slow = cycle(1, NOON, 31.0) | {"cause": "x", "found_at": (NOW - timedelta(hours=5)).isoformat()}
        load(db, "reports.slow_cycles", [slow])
    said = lines()
    assert said["market"] == "coins 12 s old"
    assert said["history"] == "coin_daily until 2026-11-19"
    assert said["registry"] == "nothing yet"
    assert said["reports"] == "slow_cycles 5 h old"


def test_what_is_missing_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0, status="partial", missing=["page 3: \x1b[2J said the server\nx"])])
    monkeypatch.setattr(sys, "argv", ["lcw_assets"])
    assert main() == 0
    assert "\nmissing  page 3: \\x1b[2J said the server\\nx\n" in capsys.readouterr().out


def test_the_ui_is_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_UI_URL", "https://dagster.example.com")
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
    assert lines()["look"] == "make dev, then https://dagster.example.com"


def test_it_only_reads() -> None:
    with facts() as db:
        load(db, "ops.cycles", [cycle(1, NOON, 2.0)])
    before = DataSettings().database.read_bytes()
    status(DataSettings(), NOW)
    assert DataSettings().database.read_bytes() == before
    assert {path.name for path in DataSettings().data_dir.iterdir()} == {"demo.duckdb"}


def test_without_cycles_it_says_so() -> None:
    with pytest.raises(WarehouseError, match="does not exist yet: `make cycle` makes it"):
        status(DataSettings(), NOW)
    with facts():
        pass
    first, *sources = status(DataSettings(), NOW)
    assert first == f"no cycle in {DataSettings().database} yet"
    assert sources == [f"{source.name:8} {source.title}, no data yet" for source in loaded_together()]
    assert "kucoin   KuCoin Futures, no data yet" in sources
