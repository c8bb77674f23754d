"""Backfills against a real simulator: what arrives, what is requested, how they stop, and what a second one does."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lcw_assets.coordination.rate_limit import Rate, RateLimit
from lcw_assets.defs.history.backfill import Progress
from lcw_assets.defs.history.plan import Span
from lcw_assets.defs.history.series import SERIES
from lcw_assets.ingest.clock import DAY
from lcw_assets.simulator.faults import Draw, Fault, flaky
from lcw_assets.simulator.server import Simulator
from lcw_assets.warehouse.errors import Holder, LockedError
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.history.harness import TODAY, Desk, Paced
from lcw_assets_tests.patience import until

YEAR = Span(TODAY - 365 * DAY, TODAY)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def history_calls(simulator: Simulator) -> list[tuple[str, int]]:
    """Code and start of every request for history that was answered well."""
    requests = [
        json.loads(entry.request) for entry in simulator.ledger.entries if "history" in entry.endpoint and entry.good
    ]
    return [(request.get("code", ""), request["start"]) for request in requests]


def test_a_year_of_two_coins_is_eight_calls_and_every_day_is_there(desk: Desk, start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator()
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC", "ETH"]))
    assert result.status == "done"
    assert (result.progress.planned, result.progress.calls) == (8, 8)
    assert len(history_calls(simulator)) == 8
    rows = dict(desk.query("SELECT code, count(*) FROM history.coin_daily WHERE bucket >= ? GROUP BY 1", [YEAR.start]))
    assert all(350 <= rows[code] <= 365 for code in ("BTC", "ETH"))  # the simulator loses a day here and there
    assert desk.query("SELECT count(*), count(DISTINCT cycle_id) > 0 FROM ops.calls WHERE outcome = 'ok'") == [
        (9, True)
    ]
    assert desk.query("SELECT count(*) FROM ops.cycle_calls") == [(0,)]  # no fact of a cycle
    assert desk.spool.files() == []


@pytest.mark.parametrize(("series", "length", "points"), [("coin_hourly", 8, 192), ("coin_5min", 2, 576)])
def test_finer_series_come_at_their_own_step(
    desk: Desk, start_simulator: StartSimulator, series: str, length: int, points: int
) -> None:
    _, address = start_simulator()
    desk.backfill(address, desk.plan(series, Span(TODAY - length * DAY, TODAY), ["BTC"]))
    rows = desk.query(f"SELECT count(*), min(step_s), max(step_s) FROM history.{series}")
    step = int(SERIES[series].step.total_seconds())
    assert rows[0][1:] == (step, step)
    assert points - points // length <= rows[0][0] <= points  # at most one day is lost


def test_the_second_run_requests_nothing(desk: Desk, start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator()
    desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC"]))
    again = desk.plan("coin_daily", YEAR, ["BTC", "ETH"])
    assert again.calls == 4
    desk.backfill(address, again)
    assert sorted(code for code, _ in history_calls(simulator)) == ["BTC"] * 4 + ["ETH"] * 4


def test_an_unknown_coin_among_many_is_named_and_the_rest_done(desk: Desk, start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator()
    desk.in_flight = 1
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["NOSUCH", "BTC"]))
    assert (result.status, result.unknown) == ("done", {"NOSUCH"})
    assert desk.query("SELECT DISTINCT code FROM history.coin_daily") == [("BTC",)]
    asked = [entry for entry in simulator.ledger.entries if "NOSUCH" in entry.request]
    assert len(asked) == 1  # not once a window
    again = desk.plan("coin_daily", YEAR, ["NOSUCH", "BTC"])
    assert (again.calls, list(again.unknown)) == (0, ["NOSUCH"])  # nor again on the same day


def test_many_unknown_coins_in_a_row_are_no_dead_api(desk: Desk, start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    desk.in_flight = 1
    unknown = [f"NOSUCH{number}" for number in range(20)]
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, [*unknown, "BTC"]))
    assert (result.status, result.unknown) == ("done", set(unknown))
    assert desk.query("SELECT DISTINCT code FROM history.coin_daily") == [("BTC",)]


def test_a_coin_that_did_not_exist_yet_costs_no_further_calls(desk: Desk, start_simulator: StartSimulator) -> None:
    """The simulator's youngest coins were listed hours ago; these some years."""
    simulator, address = start_simulator()
    wanted = Span(datetime(2014, 1, 1, tzinfo=timezone.utc), TODAY)
    plan = Paced(**vars(desk.plan("coin_daily", wanted, ["ETH"])))
    assert plan.calls == 48
    result = desk.backfill(address, plan, report=plan.count, report_every_s=0.0)
    assert result.status == "done"
    [(first,)] = desk.query("SELECT min(bucket) FROM history.coin_daily")
    calls = len(history_calls(simulator))
    assert first > wanted.start
    with_points = -((first - TODAY) // (100 * DAY))
    assert calls == with_points + 2 < 48
    assert desk.plan("coin_daily", wanted, ["ETH"]).calls == 0
    assert desk.plan("coin_5min", Span(wanted.start, wanted.start + DAY), ["ETH"]).calls == 0


def flaky_but_never_dripping(draw: Draw) -> Fault:
    """What drips takes its client's patience, of which there is a lot here: transport/test_client.py is about that."""
    fault = flaky(draw)
    return Fault() if fault.kind == "drip" else fault


def test_a_flaky_api_gives_all_of_it(desk: Desk, start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator(profile=flaky_but_never_dripping, time_scale=0.01)
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC", "ETH", "DOGE"]))
    assert result.status == "done"
    assert desk.query("SELECT count(*), count(DISTINCT (code, window_start)) FROM history.asked") == [(12, 12)]
    stored = desk.query("SELECT sum(points) FROM history.asked")
    assert desk.query("SELECT count(*) FROM history.coin_daily") == stored
    assert len(set(history_calls(simulator))) == 12


def test_a_dead_api_is_given_up_and_what_came_is_kept(desk: Desk, start_simulator: StartSimulator) -> None:
    def dies(draw: Draw) -> Fault:
        return Fault() if draw.number <= 6 else Fault("error", status=503)

    _, address = start_simulator(profile=dies)
    desk.in_flight = 2
    result = desk.backfill(address, desk.plan("coin_hourly", Span(TODAY - 200 * DAY, TODAY), ["BTC"]))
    assert result.status == "unanswered"
    assert "16 calls in a row brought nothing, the last one: 503" in result.why
    assert desk.query("SELECT count(*) FROM history.asked WHERE series = 'coin_hourly'") == [(5,)]
    [(kind, status, missing)] = desk.query("SELECT kind, status, missing FROM ops.loads")
    assert (kind, status) == ("backfill", "partial")
    assert len(missing) >= 16
    assert all(re.match(r"BTC from 20\d\d-\d\d-\d\d: 503", line) for line in missing)


def test_a_backfill_that_got_everything_is_complete(desk: Desk, start_simulator: StartSimulator) -> None:
    desk.backfill(start_simulator()[1], desk.plan("coin_daily", YEAR, ["BTC", "NOSUCH"]))
    points = desk.query("SELECT count(*) FROM history.coin_daily")[0][0]
    loads = desk.query("SELECT status, missing, records_seen, detail ->> 'series' FROM ops.loads")
    assert loads == [("complete", [], points, "coin_daily")]


def test_it_stops_in_order_when_credits_fall_to_the_reserve(desk: Desk, start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator(credits_per_day=30)
    coins = ["BTC", "ETH", "DOGE"]
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, coins), reserve=20)
    assert result.status == "credits"
    assert result.why == "20 credits are left today, and 20 are kept (LCW_CREDIT_RESERVE)"
    assert len(history_calls(simulator)) == 9  # one was for asking how many there are
    assert desk.query("SELECT count(*) FROM history.asked") == [(9,)]
    assert desk.plan("coin_daily", YEAR, coins).calls == 3


def test_credits_that_are_gone_end_it_in_order(desk: Desk, start_simulator: StartSimulator) -> None:
    """Also where others spend them meanwhile, so that the server is the first to say so."""

    def gone(draw: Draw) -> Fault:
        return Fault("error", status=402) if draw.number > 4 else Fault()

    _, address = start_simulator(profile=gone)
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC", "ETH"]))
    assert result.status == "credits"
    assert "today's credits are used up" in result.why
    assert desk.query("SELECT count(*) FROM history.asked") == [(3,)]


def test_a_cdn_that_blocks_is_not_called_for_everything(desk: Desk, start_simulator: StartSimulator) -> None:
    """What the API itself refuses says nothing of the next call. A page of somebody in front of it does."""

    def blocks(draw: Draw) -> Fault:
        return Fault() if draw.number <= 3 else Fault("html", status=403)

    simulator, address = start_simulator(profile=blocks)
    desk.in_flight = 2
    result = desk.backfill(address, desk.plan("coin_hourly", Span(TODAY - 200 * DAY, TODAY), ["BTC"]))
    assert result.status == "unanswered"
    assert "16 calls in a row brought nothing, the last one: A CDN, firewall or proxy, in front of" in result.why
    assert len(simulator.ledger.entries) < 30


def test_on_a_day_whose_credits_are_low_nothing_is_called_again(desk: Desk, start_simulator: StartSimulator) -> None:
    """Not even for how many there are: `dagster job backfill` starts thousands of runs."""
    simulator, address = start_simulator(credits_per_day=30)
    plan = desk.plan("coin_daily", YEAR, ["BTC", "ETH", "DOGE"])
    desk.backfill(address, plan, reserve=20)
    asked = len(simulator.ledger.entries)
    result = desk.backfill(address, plan, reserve=20)
    assert (result.status, len(simulator.ledger.entries)) == ("credits", asked)


def test_credits_that_are_not_known_are_not_spent(desk: Desk, start_simulator: StartSimulator) -> None:
    def odd(draw: Draw) -> Fault:
        return Fault("error", status=503) if draw.endpoint == "credits" else Fault()

    simulator, address = start_simulator(profile=odd)
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC"]))
    assert result.status == "unanswered"
    assert result.why.startswith("how many credits are left is not known, so none are spent: 503")
    assert history_calls(simulator) == []


def test_repeats_are_credits_too(desk: Desk, start_simulator: StartSimulator) -> None:
    def every_other(draw: Draw) -> Fault:
        return Fault("error", status=500) if draw.turn == 1 and draw.endpoint != "credits" else Fault()

    _, address = start_simulator(profile=every_other, credits_per_day=1000)
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC", "ETH"]))
    assert result.progress.credits == 1000 - 1 - 8 - 8


def test_a_quiet_that_the_server_requests_is_sat_out(
    desk: Desk, start_simulator: StartSimulator, tmp_path: Path
) -> None:
    """All calls of a minute may meet it, and none of them has failed for that."""

    def quiet(draw: Draw) -> Fault:
        return Fault("error", status=429, retry_after="2") if draw.number == 2 else Fault()

    _, address = start_simulator(profile=quiet)
    limit = RateLimit(tmp_path / "limit", Rate(per_s=100, burst=100))
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["BTC", "ETH", "DOGE"]), rate_limit=limit)
    assert (result.status, result.progress.calls) == ("done", 12)
    assert result.progress.seconds >= 1.5


def test_a_call_that_never_works_is_named_and_the_rest_is_done(desk: Desk, start_simulator: StartSimulator) -> None:
    """One window of one coin, tried again at the end, and again."""

    def one_is_broken(draw: Draw) -> Fault:
        return Fault("error", status=500) if '"ETH"' in draw.content and draw.turn < 99 else Fault()

    simulator, address = start_simulator(profile=one_is_broken)
    result = desk.backfill(address, desk.plan("coin_daily", Span(TODAY - 100 * DAY, TODAY), ["BTC", "ETH", "DOGE"]))
    assert result.status == "incomplete"
    assert result.why.startswith("1 calls brought nothing, such as ETH from 2026-08-12 00:00: 500")
    assert sorted(code for code, _ in history_calls(simulator)) == ["BTC", "DOGE"]
    assert desk.plan("coin_daily", Span(TODAY - 100 * DAY, TODAY), ["BTC", "ETH", "DOGE"]).calls == 1


def test_coins_that_are_all_unknown_are_a_mistake(desk: Desk, start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    result = desk.backfill(address, desk.plan("coin_daily", YEAR, ["btc", "eth"]))
    assert result.status == "refused"
    assert "knows none of these coins: are LCW_TRACKED_COINS and LCW_CURRENCY right?" in result.why


def test_a_locked_database_stops_nothing(desk: Desk, start_simulator: StartSimulator) -> None:
    """Somebody has it open: responses wait in the spool, and are stored as soon as it is free."""
    _, address = start_simulator()
    plan = desk.plan("coin_daily", YEAR, ["BTC"])

    def locked() -> object:
        raise LockedError(desk.database, Holder("duckdb", 1))

    result = desk.backfill(address, plan, store=locked)  # type: ignore[arg-type]
    assert result.status == "done"
    assert len(desk.spool.pending()) == 1
    assert (
        desk.logged[-1] == f"not stored yet: {desk.database} is held open by duckdb (process 1). It waits in the spool"
    )
    assert desk.store().responses == 4
    assert desk.plan("coin_daily", YEAR, ["BTC"]).calls == 0


def test_an_error_in_it_loses_nothing(desk: Desk, start_simulator: StartSimulator) -> None:
    """As when a run is cancelled: Dagster raises in the thread that waits."""
    asked: list[Draw] = []

    def count(draw: Draw) -> Fault:
        asked.append(draw)
        return Fault()

    simulator, address = start_simulator(profile=count)

    def cancelled(_progress: Progress) -> None:
        raise KeyboardInterrupt

    plan = desk.plan("coin_5min", Span(TODAY - 60 * DAY, TODAY), ["BTC"])
    with pytest.raises(KeyboardInterrupt):
        desk.backfill(address, plan, report=cancelled)
    until(lambda: len(simulator.ledger.entries) == len(asked))
    desk.store()
    [(stored,)] = desk.query("SELECT count(*) FROM history.asked")
    assert len(history_calls(simulator)) - desk.in_flight <= stored <= len(history_calls(simulator))
    assert desk.plan("coin_5min", plan.wanted, ["BTC"]).calls == plan.calls - stored


def test_progress_says_how_far_it_is(desk: Desk, start_simulator: StartSimulator) -> None:
    progress = Progress(100, calls=25, credits=75)
    progress.started -= 50
    left_s = progress.left_s
    assert left_s is not None
    assert 150 <= left_s <= 3 * progress.seconds  # three times what it has taken
    assert Progress(100).left_s is None


def test_the_rate_limit_is_kept_to(desk: Desk, start_simulator: StartSimulator, tmp_path: Path) -> None:
    _, address = start_simulator(profile=lambda _draw: Fault(delay_s=0.1))
    limit = RateLimit(tmp_path / "limit", Rate(per_s=20, burst=8, reserve=4), first=False)
    desk.in_flight = 8
    started = time.monotonic()
    result = desk.backfill(address, desk.plan("coin_5min", Span(TODAY - 30 * DAY, TODAY), ["BTC"]), rate_limit=limit)
    assert result.status == "done"
    assert result.progress.calls == 90
    assert time.monotonic() - started >= (90 + 1 - 4) / 20 - 0.1  # and never more than that
