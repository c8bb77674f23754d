"""Who is called in which round, by the facts of real calls."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from lcw_assets.simulator.faults import Draw, Fault, Profile
from lcw_assets_tests.defs.prices.rounds import SEVEN, Prices, prices
from lcw_assets_tests.sources.prices import SOURCES

BROKEN = Fault("error", status=501)


def faulty(**faults: Fault) -> Profile:
    """Of their tickers alone: lists of markets are good."""

    def profile(draw: Draw) -> Fault:
        client = SOURCES[draw.provider].client_class()
        is_tickers = client.endpoint.strip("/") == draw.endpoint.strip("/")
        return faults.get(draw.provider, Fault()) if is_tickers else Fault()

    return profile


def called(found: Prices, **given: Any) -> set[str]:
    """Whose tickers were requested in one more round, by the names of their facts."""
    load_id = found.round(**given).load.load_id
    return {name for (name,) in found.query("SELECT source FROM prices.source_loads WHERE load_id = ?", load_id)}


def health(found: Prices, source: str) -> dict[str, Any]:
    columns = ("state", "since", "reasons", "probe_at", "checked_at", "success", "calls", "bytes")
    [row] = found.query(f"SELECT {', '.join(columns)} FROM prices.source_health WHERE source = ?", source)
    return dict(zip(columns, row, strict=True))


def test_out_after_two_failures_probed_after_the_pause_and_healthy_again(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        assert health(found, "kraken")["state"] == "healthy"
        found.simulator.profile = faulty(kraken=BROKEN)
        assert "kraken" in called(found)
        assert health(found, "kraken")["state"] == "degraded", "one failure is no outage"
        assert "kraken" in called(found)
        after = health(found, "kraken")
        assert after["state"] == "out" and after["since"] == after["checked_at"]
        assert [one["code"] for one in json.loads(after["reasons"])] == ["failing", "unreliable"]
        assert "kraken" not in called(found, after_s=20)
        assert any("kraken" in line and line.startswith("not called, because they are out") for line in found.said)
        assert health(found, "kraken")["since"] == after["since"], "it is out since then"
        assert "kraken" in called(found, after_s=45), "one probe after a minute"
        assert health(found, "kraken")["probe_at"] - health(found, "kraken")["checked_at"] > timedelta(seconds=110)
        assert "kraken" not in called(found, after_s=70), "the pause is twice as long after a probe that failed"
        found.simulator.profile = faulty()
        assert "kraken" in called(found, after_s=60)
        assert health(found, "kraken")["state"] in ("healthy", "degraded"), "by one good response"
        for _ in range(2):
            assert "kraken" in called(found)
        counted = found.query("SELECT sum(calls) FROM prices.source_loads WHERE source = 'kraken'")
        assert health(found, "kraken")["calls"] == counted[0][0]


def test_a_ban_keeps_a_source_out_until_the_moment_that_it_requested(tmp_path: Path) -> None:
    """Binance: 418 with Retry-After of two minutes. One response is enough to know."""
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = faulty(binance=Fault("ban"))
        entries = len(found.simulator.ledger.entries)
        assert "binance" in called(found)
        sent = [entry for entry in found.simulator.ledger.entries[entries:] if entry.provider == "binance"]
        assert len(sent) == 1, "a ban is not tried again"
        banned = health(found, "binance")
        assert banned["state"] == "out"
        [reason, *_] = json.loads(banned["reasons"])
        assert (reason["code"], reason["fields"]["outcome"]) == ("banned", "banned")
        assert 118 < (banned["probe_at"] - banned["checked_at"]).total_seconds() < 121
        found.simulator.profile = faulty()
        assert "binance" not in called(found, after_s=60)
        assert "binance" not in called(found, after_s=50)
        assert "binance" in called(found, after_s=15)
        assert health(found, "binance")["state"] in ("healthy", "degraded")


def test_a_backup_is_called_in_its_place_and_not_before(tmp_path: Path) -> None:
    chosen = {"PRICES_SOURCES": "kraken,coinbase,bitstamp", "PRICES_BACKUPS": "kraken:okx"}
    with prices(tmp_path, faulty(kraken=BROKEN), **chosen) as found:
        for _ in range(2):
            assert called(found) == {"kraken", "coinbase", "bitstamp"}
        assert {one.price for one in found.data(after_s=1).round.consensus if one.coin == "BTC"} != {None}
        assert called(found, after_s=20) == {"okx", "coinbase", "bitstamp"}
        assert "kraken is out: okx takes its place" in found.said
        assert found.query("SELECT role FROM prices.quotes WHERE source = 'okx' AND symbol = 'BTC' LIMIT 1") == [
            ("used",)
        ]
        found.simulator.profile = faulty()
        assert called(found, after_s=60) == {"kraken", "okx", "coinbase", "bitstamp"}, "a probe, and the backup"
        assert called(found) == {"kraken", "coinbase", "bitstamp"}, "it is back"


def test_where_too_few_are_left_everybody_is_probed_and_prices_are_back_at_once(tmp_path: Path) -> None:
    with prices(tmp_path, faulty(**dict.fromkeys(SEVEN, BROKEN))) as found:
        for _ in range(2):
            assert called(found) == {*SEVEN}
        states = dict(found.query("SELECT source, state FROM prices.source_health"))
        assert states == dict.fromkeys(SEVEN, "out")
        assert called(found, after_s=10) == {*SEVEN}, "our own network is rather down than all of them"
        found.simulator.profile = faulty()
        data = found.data(after_s=10)
        assert all(one.price for one in data.round.consensus)


def test_those_who_banned_us_are_not_probed_even_then(tmp_path: Path) -> None:
    up = {"PRICES_SOURCES": "kraken,coinbase,binance"}
    with prices(tmp_path, faulty(binance=Fault("ban"), kraken=BROKEN), **up) as found:
        for _ in range(2):
            found.round(after_s=10)
        assert called(found, after_s=10) == {"kraken", "coinbase"}


def test_since_when_is_never_in_the_future(tmp_path: Path) -> None:
    """A clock that was a day ahead when a source began to fail."""
    with prices(tmp_path) as found:
        found.round()
        found.simulator.profile = faulty(kraken=BROKEN)
        found.round(after_s=86_400)
        found.round(after_s=60 - 86_400)
        after = health(found, "kraken")
        assert after["state"] == "degraded" and after["since"] == after["checked_at"]


def test_a_witness_that_is_out_is_not_called_either(tmp_path: Path) -> None:
    with prices(tmp_path, faulty(coingecko=Fault("ban")), PRICES_COINGECKO="true", PRICES_SOURCES="kraken") as found:
        assert called(found) == {"kraken", "coingecko"}
        assert health(found, "coingecko")["state"] == "out"
        assert called(found, after_s=20) == {"kraken"}
        assert health(found, "coingecko")["state"] == "out", "it is not forgotten"
        assert called(found, after_s=20) == {"kraken"}
        found.simulator.profile = faulty()
        assert called(found, after_s=3600) == {"kraken", "coingecko"}
        assert health(found, "coingecko")["state"] in ("healthy", "degraded")


def test_refusals_under_http_200_bans_countries_and_maintenance_are_told_apart_by_name(tmp_path: Path) -> None:
    faults = {
        "kraken": Fault("busy"), "okx": Fault("country"), "bybit": Fault("ban"), "bitstamp": Fault("busy"),
        "coinbase": Fault("busy"), "kucoin_spot": Fault("country"),
    }  # fmt: skip
    with prices(tmp_path, faulty(**faults)) as found:
        found.round()
        outcomes = dict(found.query("SELECT source, outcome FROM prices.source_loads"))
        assert outcomes["okx"] == outcomes["kucoin_spot"] == "blocked"
        assert outcomes["bybit"] == "banned"
        assert outcomes["bitstamp"] == outcomes["coinbase"] == "maintenance"
        assert outcomes["kraken"] in ("rate_limited", "maintenance")
        assert outcomes["binance"] == "ok"
        [(missing,)] = found.query("SELECT missing FROM ops.loads")
        assert len(missing) == 6 and all(" tickers: " in text for text in missing)


def test_costs_of_a_day_are_facts_and_start_anew_at_midnight(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        for _ in range(2):
            found.round()
        day = found.query("SELECT rounds, calls, bytes > 0, cost FROM prices.source_costs WHERE source = 'okx'")
        assert len(day) == 1 and day[0][0] == 2 and day[0][2] and day[0][3] == 0
        before = health(found, "okx")
        assert before["calls"] == day[0][1]
        found.round(after_s=12 * 3600)
        assert health(found, "okx")["calls"] <= 2 < before["calls"] + 1
        assert len(found.query("SELECT day FROM prices.source_costs WHERE source = 'okx'")) == 2


def test_a_source_that_responds_late_is_missing_and_the_round_is_not_late(tmp_path: Path) -> None:
    with prices(tmp_path, faulty(okx=Fault(delay_s=5.0))) as found:
        stored = found.round(deadline_s=1.0)
        assert stored.row["fetch_s"] < 3
        assert stored.row["status"] == "partial"
        roles = {
            m.source: m.role for one in stored.outcome.data.round.consensus if one.coin == "BTC" for m in one.members
        }
        assert roles["okx"] == "missing" and [*roles.values()].count("used") == 6
