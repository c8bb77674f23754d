"""The job `quote_prices` as Dagster runs and shows it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest

from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG
from lcw_assets.settings import load_settings
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.market import Market
from lcw_assets.sources.spec import group
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import checks, failure, logs, materialized
from lcw_assets_tests.defs.prices.rounds import SEVEN

RunPrices = Callable[..., dg.ExecuteInProcessResult]

COINS = ["BTC", "ETH", "SOL", "XRP", "DOGE", "BNB"]
ASSETS = {
    "raw/tickers", "raw/markets", "prices/quotes", "prices/rates", "prices/consensus", "prices/latest",
    "prices/source_health", "prices/lcw_deviation", "prices/source_loads", "instruments/names", "instruments/markets",
    "instruments/lists",
}  # fmt: skip


@pytest.fixture
def run_prices(definitions: dg.Definitions, instance: dg.DagsterInstance) -> RunPrices:
    def run(**options: Any) -> dg.ExecuteInProcessResult:
        job = definitions.resolve_job_def("quote_prices")
        return job.execute_in_process(instance=instance, raise_on_error=False, **options)

    return run


@pytest.fixture
def venues(monkeypatch: pytest.MonkeyPatch, start_simulator: StartSimulator) -> Callable[..., Any]:
    """Have the exchanges be a simulator with these faults, by their names, at the time of the clock."""

    def serve(**faults: str | Fault) -> Any:
        def profile(draw: Draw) -> Fault:
            fault = faults.get(draw.provider, "none")
            return Fault(fault) if isinstance(fault, str) else fault

        simulator, server = start_simulator(profile=profile, clock=lambda: datetime.now(timezone.utc))
        for source in group("prices").sources.values():
            address = simulator.address_of(source.simulator, server)
            monkeypatch.setenv(f"{source.variables}_BASE_URL", address)
        return simulator

    return serve


def query(sql: str) -> list[tuple[Any, ...]]:
    with open_database(load_settings().database, read_only=True) as db:
        return db.execute(sql).fetchall()


def test_without_a_key_a_run_prices_the_demo_and_says_so(run_prices: RunPrices, instance: dg.DagsterInstance) -> None:
    """The embedded simulator, in the run's own process."""
    result = run_prices()
    assert result.success
    metadata = materialized(result)
    assert set(metadata) == ASSETS
    assert {values["source"] for values in metadata.values()} == {"prices-simulator"}
    assert load_settings().database.name == "demo.duckdb"
    assert metadata["raw/tickers"]["calls"] == 7
    assert metadata["raw/markets"]["calls"] == 1
    shown = metadata["prices/consensus"]["prices"].splitlines()
    assert shown[0] == "| coin | USD | used | apart | why not |"
    assert [line.split(" | ")[0] for line in shown[2:]] == [f"| {coin}" for coin in COINS]
    picture = metadata["prices/consensus"]["deviations"]
    [data] = re.findall(r"^!\[.*\]\(data:image/svg\+xml;base64,(.*)\)$", picture)
    svg = base64.b64decode(data).decode()
    assert all(f">{name}</text>" in svg for name in SEVEN)
    assert metadata["prices/source_health"]["kraken"] == "healthy"
    found = checks(result)
    assert set(found) == {
        "prices/consensus:quorum", "prices/consensus:spread", "prices/consensus:deviation",
        "prices/consensus:lcw_deviation", "prices/source_health:sources_out", "prices/rates:depeg",
        "prices/latest:keys_unique", "prices/latest:fresh", "prices/source_health:keys_unique",
        "prices/lcw_deviation:keys_unique", "prices/source_loads:complete", "prices/source_loads:load_time",
        "prices/source_loads:failure_rate", "instruments/names:names_readable", "instruments/lists:keys_unique",
    }  # fmt: skip
    assert all(check.passed for check in found.values())
    assert re.search(r"^prices of 6 coins: BTC 1\d{5}", logs(instance, result)[-1])
    market = Market(1)
    for symbol, price, at in query("SELECT symbol, price, priced_at FROM prices.latest"):
        minute = at.timestamp() / 60
        coin = market.find(symbol, int(minute))
        assert coin and price == pytest.approx(market.price(coin, minute), rel=1e-3)
    assert query("SELECT kind, source, calls FROM ops.loads") == [("quote_prices", "prices-simulator", 8)]
    assert {name for (name,) in query("SELECT DISTINCT source FROM raw.pulls")} == {
        f"{name}-simulator" for name in SEVEN
    }
    assert {name for (name,) in query("SELECT DISTINCT source FROM prices.quotes")} == set(SEVEN)


def test_one_materialization_a_run_and_a_load_a_round(
    run_prices: RunPrices, venues: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of a tick 34 s ago, with rounds of 5 s: two that are over are left out, and the last has ended by 50."""
    venues()
    monkeypatch.setenv("PRICES_ROUND_S", "5")
    tick = datetime.now(timezone.utc) - timedelta(seconds=34)
    result = run_prices(tags={SCHEDULED_AT_TAG: tick.isoformat()})
    assert result.success
    assert set(materialized(result)) == ASSETS
    moments = [
        (started_at - tick).total_seconds()
        for (started_at,) in query("SELECT started_at FROM ops.loads ORDER BY started_at")
    ]
    planned = [
        round((at - tick).total_seconds(), 3) for (at,) in query("SELECT scheduled_at FROM ops.loads ORDER BY 1")
    ]
    assert planned in ([0, 35, 40, 45], [0, 40, 45])
    assert all(0 <= began - moment < 60 for began, moment in zip(moments, planned, strict=True))
    assert query("SELECT max(load_s) FILTER (queue_s = 0), count(DISTINCT load_id) FROM ops.loads")[0][1] == len(
        planned
    )
    rounds = query("SELECT DISTINCT load_id, priced_at FROM prices.quotes ORDER BY 1")
    assert len(rounds) == len(planned)


def test_a_run_that_a_person_starts_has_one_round(
    run_prices: RunPrices, venues: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    venues()
    monkeypatch.setenv("PRICES_ROUND_S", "5")
    assert run_prices().success
    assert query("SELECT count(*) FROM ops.loads") == [(1,)]


def test_sources_that_fail_and_lie_are_named_and_the_rest_price(
    run_prices: RunPrices, venues: Callable[..., Any]
) -> None:
    venues()
    assert run_prices().success
    forget_responses()
    venues(okx="jump", kraken=Fault("error", status=503), binance="country")
    result = run_prices()
    assert result.success
    found = checks(result)
    assert {name for name, check in found.items() if not check.passed} == {
        "prices/consensus:deviation", "prices/consensus:quorum", "prices/source_health:sources_out",
        "prices/source_loads:complete",
    }  # fmt: skip
    assert found["prices/consensus:quorum"].description == "no price of BNB (no_quorum)", "only four trade it"
    off = ", ".join(f"okx {coin} (+{off} %)" for coin, off in _offs("okx"))
    assert found["prices/consensus:deviation"].description == f"left out, too far from the others: {off}"
    assert (found["prices/source_health:sources_out"].description or "").startswith("out: binance (banned, ")
    missing = found["prices/source_loads:complete"].description or ""
    assert "Kraken tickers: Kraken is under maintenance" in missing
    assert "Binance tickers: Binance refuses the country or network" in missing
    assert query("SELECT count(*) FROM prices.latest WHERE NOT stale AND used = 4 AND rejected = 1") == [(5,)]
    newest = (
        "SELECT source, outcome FROM prices.source_loads WHERE priced_at = (SELECT max(priced_at) FROM prices.quotes)"
    )
    outcomes = dict(query(newest))
    assert (outcomes["binance"], outcomes["kraken"], outcomes["okx"]) == ("blocked", "maintenance", "ok")


def forget_responses() -> None:
    """The next run sends requests again, whatever it could share."""
    for file in (load_settings().data_dir / "cache").iterdir():
        file.unlink()


def _offs(source: str) -> list[tuple[str, str]]:
    """The coins of which it was rejected, and how many percent it was off."""
    rows = query(
        f"SELECT symbol, 100 * deviation FROM prices.quotes WHERE source = '{source}' AND role = 'rejected' "
        f"ORDER BY list_position({COINS!r}, symbol)"
    )
    return [(symbol, f"{off:.1f}") for symbol, off in rows]


def test_where_nobody_responds_the_run_fails_and_the_last_price_stays_and_is_called_stale(
    run_prices: RunPrices, venues: Callable[..., Any]
) -> None:
    venues()
    assert run_prices().success
    before = query("SELECT symbol, price, priced_at FROM prices.latest ORDER BY 1")
    forget_responses()
    venues(**dict.fromkeys(SEVEN, Fault("error", status=501)))
    result = run_prices()
    assert not result.success
    assert failure(result).startswith("nothing was answered: ")
    assert query("SELECT symbol, price, priced_at FROM prices.latest ORDER BY 1") == before
    assert query("SELECT DISTINCT stale, reason, used FROM prices.latest") == [(True, "no_quorum", 0)]
    reasons = "SELECT price, reason, asked FROM prices.consensus WHERE symbol = 'BTC' AND reason IS NOT NULL"
    assert query(reasons) == [(None, "no_quorum", 7)]
    found = checks(result)
    assert not found["prices/source_loads:complete"].passed
    assert found["prices/latest:fresh"].passed, "a price of a few seconds ago"


def test_several_runs_within_a_lifetime_cost_one_call_a_source(
    run_prices: RunPrices, venues: Callable[..., Any]
) -> None:
    """In a market that stands still a response serves for 45 s."""
    simulator = venues()
    assert run_prices().success
    with open_database(load_settings().database) as db:
        earlier = "SELECT * REPLACE (priced_at - INTERVAL 9 MINUTE AS priced_at) FROM prices.consensus"
        db.execute(f"INSERT INTO prices.consensus {earlier}")
    calls = len(simulator.ledger.entries)
    result = run_prices()
    assert result.success
    assert {entry.endpoint for entry in simulator.ledger.entries[calls:]} == {"api/v2/markets"}, "a list, once a day"
    assert materialized(result)["raw/tickers"]["bytes"] == 0
    rounds = query("SELECT count(DISTINCT load_id), count(DISTINCT (source, received_at)) FROM prices.quotes")
    assert rounds == [(2, 7)]
    assert query("SELECT count(*) FROM raw.pulls WHERE endpoint NOT LIKE '%arkets%' AND endpoint NOT LIKE '%Info'") == [
        (7,)
    ]
    assert query("SELECT sum(rounds), sum(calls) FROM prices.source_costs") == [(7, 8)]
