"""A load that calls several sources: none of them ends the calls of the others, and facts say who did what."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest

from lcw_assets.defs.prices.definitions import quote_prices
from lcw_assets.defs.prices.load import PricesHooks
from lcw_assets.ingest.connect import connect_all
from lcw_assets.ingest.declaration import DeclarationError
from lcw_assets.ingest.fetch import Fetched, fetch_all
from lcw_assets.ingest.load import PlannedCall
from lcw_assets.ingest.run_clock import RunClock
from lcw_assets.settings import SettingsError, load_settings
from lcw_assets.simulator.faults import Fault, Profile
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.spec import Group, SourceError, discover, group, loaded_together
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import RefusedError
from lcw_assets.warehouse.errors import LockedError
from lcw_assets_tests.defs.market.test_fetch_cycle import failure
from lcw_assets_tests.defs.prices.rounds import NOON, SEVEN, Prices, lying, prices
from lcw_assets_tests.holders import held_open
from lcw_assets_tests.loads import Lines, folder_settings
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, reply
from lcw_assets_tests.transport.test_client import Kept

PRICES = group("prices")
CLOCK = RunClock(NOON, NOON, False, 0.0, 0.0, NOON)


def fetched(found: Prices, in_flight: int = 1, calls: list[PlannedCall] | None = None) -> tuple[Fetched, Kept]:
    """The planned tickers, fetched with so many at once, in the order of the plan."""
    hooks, sink = found.hooks(), Kept()
    calls = calls or [call for call in hooks.plan(CLOCK) if call.part == "tickers"]
    deadline = Deadline.after(PATIENCE_S)
    with connect_all(PRICES, calls, hooks.settings, sink=sink, deadline=deadline) as api:
        done = fetch_all(
            api, calls, deadline=deadline, in_flight=in_flight, log=found.said.info, received=hooks.received
        )
    return done, sink


def test_what_no_call_of_one_source_can_repair_ends_no_call_of_another(tmp_path: Path) -> None:
    """A wrong address of the first one: of a load of one source that is the end."""
    nothing = reply("404 Not Found", b"<html>nothing here</html>")
    with prices(tmp_path) as found, raw_server(nothing) as address:
        found.settings["BINANCE_BASE_URL"] = address
        done, _ = fetched(found)
        assert [missing.call for missing in done.missing] == ["Binance tickers"]
        assert "BINANCE_BASE_URL" in done.missing[0].reason
        assert done.succeeded == 6 and done.ended_by is None


def test_the_same_ends_a_load_of_one_source(tmp_path: Path) -> None:
    """So that the test above is about sources, and not about an error that ends nothing."""
    with prices(tmp_path) as found, raw_server(reply("404 Not Found", b"<html>nothing here</html>")) as address:
        found.settings["BINANCE_BASE_URL"] = address
        settings, deadline = found.hooks().settings, Deadline.after(PATIENCE_S)
        call = PlannedCall("tickers", "api/v3/exchangeInfo", {}, "x", source="binance")
        with connect_all(PRICES, [call], settings, sink=Kept(), deadline=deadline) as api:
            done = fetch_all(
                api["binance"], [call] * 3, deadline=deadline, in_flight=1, log=found.said.info, received=lambda *_: 1
            )
        assert isinstance(done.ended_by, RefusedError) and len(done.missing) == 3


def test_four_that_fail_first_do_not_end_the_fetch(tmp_path: Path) -> None:
    first = SEVEN[:5]
    profile: Profile = lambda draw: Fault("error", status=501) if draw.provider in first else Fault()  # noqa: E731
    with prices(tmp_path, profile) as found:
        done, sink = fetched(found)
        assert len(done.missing) == 5 and done.succeeded == 2
        assert {attempt.source.removesuffix("-simulator") for attempt in sink.attempts} == {*SEVEN}


def test_all_are_called_at_once(tmp_path: Path) -> None:
    """The last request is sent while the first one still waits for its response."""
    with prices(tmp_path, lambda _: Fault(delay_s=1.5)) as found:
        _, own = found.fetch()
        started = [datetime.fromisoformat(row["started_at"]) for row in own.attempts]
        assert len(started) == 8 and max(started) - min(started) < timedelta(seconds=1.5)
        assert any(f"{len(started)} calls, {len(started)} at once" in line for line in found.said)


def test_what_is_simulated_is_served_by_one_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Simulator] = []
    serve = Simulator.serve

    def counted(simulator: Simulator) -> Any:
        served.append(simulator)
        return serve(simulator)

    monkeypatch.setattr(Simulator, "serve", counted)
    settings = folder_settings(tmp_path)
    hooks = PricesHooks(settings, Lines(), NOON)
    calls = hooks.plan(CLOCK)
    with connect_all(PRICES, calls, settings, sink=Kept(), deadline=Deadline.after(PATIENCE_S)) as clients:
        assert {*clients} == {*SEVEN}
        addresses = {name: urlsplit(client.client.base_url).netloc for name, client in clients.items()}
        assert len({*addresses.values()}) == 1
        assert clients["kraken"].fetch(calls[4].endpoint, calls[4].request).records
    assert len(served) == 1


def test_where_no_source_is_simulated_no_simulator_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prices(tmp_path) as found:
        monkeypatch.setattr(Simulator, "serve", lambda _: pytest.fail("nothing needs it"))
        assert fetched(found)[0].succeeded == 7


def test_only_who_is_called_is_connected_and_each_has_its_own_bucket_and_lifetime(tmp_path: Path) -> None:
    settings = folder_settings(tmp_path)
    options = {"lifetime_s": {"0/public/Ticker": 7.0}}
    calls = [PlannedCall("tickers", "0/public/Ticker", {}, "x", source="kraken", client=options)]
    with connect_all(PRICES, calls, settings, sink=Kept(), deadline=Deadline.after(5)) as clients:
        assert {*clients} == {"kraken"}
        assert clients["kraken"].lifetime_s == {"0/public/Ticker": 7.0}
    assert len({settings.of(source).rate_limit_file for source in PRICES.sources.values()}) == len(PRICES.sources)


def test_a_wrong_setting_of_one_source_fails_the_run_in_one_line_that_names_it(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRAKEN_BASE_URL", "kraken.example")
    job = definitions.resolve_job_def("quote_prices")
    text = failure(job.execute_in_process(instance=instance, raise_on_error=False))
    assert text.startswith("KRAKEN_BASE_URL=") and "\n" not in text
    with pytest.raises(SettingsError, match="KRAKEN_BASE_URL"):
        folder_settings(Path("x")).of(PRICES.sources["kraken"]).base_url  # noqa: B018
    monkeypatch.delenv("KRAKEN_BASE_URL")
    assert not load_settings().of(PRICES).spool_dir.exists(), "before anything is begun"


def test_a_wrong_setting_of_prices_fails_the_run_in_one_line(
    definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICES_BACKUPS", "kraken:nobody")
    job = definitions.resolve_job_def("quote_prices")
    text = failure(job.execute_in_process(instance=instance, raise_on_error=False))
    assert text.startswith("PRICES_BACKUPS=") and "nobody" in text and "\n" not in text


class PlansAnotherPart(PricesHooks):
    def plan(self, clock: RunClock) -> Any:
        return [replace(call, part="candles") for call in super().plan(clock)]


def test_a_plan_for_an_asset_that_is_not_declared_is_a_declaration_error(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        hooks = PlansAnotherPart(found.hooks().settings, found.said, found.now)
        runner = found.runner(hooks)
        load = found.fetch()[1].load
        with pytest.raises(DeclarationError, match="plans Binance tickers for raw/candles: declare it in raw"):
            runner.fetch(replace(load, load_id="x"), CLOCK, 5.0, ["tickers"])


def test_what_a_declaration_of_a_group_may_lack() -> None:
    kraken = PRICES.sources["kraken"].model_copy(update={"watch": ("prices.quotes", "nothing")})
    with pytest.raises(DeclarationError, match=r"is of Kraken, which has watch=prices.quotes.nothing"):
        replace(quote_prices, source=Group("prices", {"kraken": kraken}))
    with pytest.raises(DeclarationError, match=r"expected a Source, such as .*, or a Group of them"):
        replace(quote_prices, source=[kraken])  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=r"no source has group='quotes': expected at least one spec.py with it"):
        group("quotes")


def test_a_source_is_called_alone_or_in_its_group() -> None:
    names = {one.name for one in loaded_together()}
    assert "prices" in names and not names & {*SEVEN, "coingecko"}
    assert {name for name, one in discover().items() if one.group is None} == names - {"prices"}


def test_the_plan_in_the_spool_says_who_is_called(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        runner, own = found.fetch()
        assert [row["source"] for row in own.planned] == [*SEVEN, "binance"]
        [path] = runner.spool.pending()
        again = runner.spool.read(path)
        assert again and [row["source"] for row in again.planned] == [*SEVEN, "binance"]


def test_a_round_that_died_in_its_fetch_is_stored_with_who_was_called(tmp_path: Path) -> None:
    """Its file ends in the middle: what came is priced, and the others were called and sent nothing."""
    with prices(tmp_path, lying(okx="none")) as found:
        found.round()
        runner, _ = found.fetch()
        [path] = runner.spool.pending()
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if b'"end"' not in line[:30] and b"okx-simulator" not in line]
        path.write_bytes(b"".join(kept))
        [done] = found.store(runner)
        assert done.row["status"] == "partial"
        btc = done.outcome.data.round.consensus[0]
        assert {member.source: member.role for member in btc.members}["okx"] == "missing"
        assert btc.requested == 7 and btc.price


def test_with_a_locked_database_a_round_plans_without_and_the_next_one_stores_it(tmp_path: Path) -> None:
    with prices(tmp_path) as found:
        found.round()
        database = found.hooks().settings.database
        with held_open(database):
            runner, own = found.fetch()
            assert any(line.startswith("no facts to adapt to: ") for line in found.said)
            assert {row["source"] for row in own.planned} == {*SEVEN}, "all, whatever their health was"
            with pytest.raises(LockedError):
                runner.store(own=own, lock_wait_s=0.0)
            assert len(runner.spool.pending()) == 1
        runner, second = found.fetch()
        stored = found.store(runner, second)
        assert [one.load.load_id for one in stored] == [own.load.load_id, second.load.load_id]
        assert found.query("SELECT count(DISTINCT load_id) FROM prices.quotes") == [(3,)]
        assert runner.spool.pending() == []
