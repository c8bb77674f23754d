"""Every load reaches its source through one door: address, key, rate and facts by mode."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from lcw_assets.coordination.rate_limit import RateLimit
from lcw_assets.definitions import defs
from lcw_assets.defs.history.definitions import fill_gaps, resume_backfills
from lcw_assets.defs.monitoring.sensors import watch_checks, watch_cycles, watch_runs
from lcw_assets.ingest.connect import SourceOffError, connect
from lcw_assets.settings import load_settings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.sources.spec import discover
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.market.test_fetch_cycle import failure, materialized
from lcw_assets_tests.ingest.test_schedules import SCHEDULES, TICK
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, read_request, silence
from lcw_assets_tests.settings.test_settings import KEY
from lcw_assets_tests.sources.toy import SPEC, AddSource, add_source
from lcw_assets_tests.transport.test_client import Kept

__all__ = ["add_source"]

Run = Callable[[str], dg.ExecuteInProcessResult]

OFF = "Live Coin Watch is off: LCW_API_KEY is not set, and in live mode nothing is simulated: set it, or LCW_MODE=demo"
WRONG = "LCW_MODE=test: it must be demo or live, or not set: then it is live exactly when LCW_API_KEY is set"


@pytest.fixture
def run(definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LCW_COINS", "100")

    def execute(job: str) -> dg.ExecuteInProcessResult:
        return definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)

    return execute


def facts() -> list[tuple[Any, ...]]:
    with open_database(load_settings().database, read_only=True) as db:
        return db.execute("SELECT DISTINCT source FROM ops.calls ORDER BY source").fetchall()


def heads(variable: str, monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> bytes:
    """The heads of the requests that `work` sends to the address of `variable`, in lower case."""
    received: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        received.append(read_request(connection).lower())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    with raw_server(talk) as address:
        monkeypatch.setenv(variable, address)
        work()
    assert received
    return b"".join(received)


def test_a_demo_with_a_key_is_a_demo(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_API_KEY", KEY)
    monkeypatch.setenv("LCW_MODE", "demo")
    cycle, sync = run("fetch_cycle"), run("token_registry_sync")
    assert cycle.success and sync.success
    assert {values["source"] for values in materialized(cycle).values()} == {"simulator"}
    assert {values["source"] for values in materialized(sync).values()} == {"kucoin-simulator"}
    assert load_settings().database.name == "demo.duckdb"
    assert facts() == [("kucoin-simulator",), ("simulator",)]
    assert {path.name for path in load_settings().data_dir.glob("*.duckdb")} == {"demo.duckdb"}


@pytest.mark.parametrize(("mode", "sent"), [("demo", False), ("live", True)])
def test_in_a_demo_no_key_leaves_the_process(run: Run, monkeypatch: pytest.MonkeyPatch, mode: str, sent: bool) -> None:
    monkeypatch.setenv("LCW_API_KEY", KEY)
    monkeypatch.setenv("LCW_MODE", mode)
    seen = heads("LCW_BASE_URL", monkeypatch, lambda: run("fetch_cycle"))
    assert (KEY.encode() in seen) == (b"x-api-key" in seen) == sent


def test_live_without_the_key_one_source_is_off_and_the_other_works(
    run: Run, instance: dg.DagsterInstance, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, address = start_simulator(marked=False)
    monkeypatch.setenv("LCW_MODE", "live")
    monkeypatch.setenv("LCW_BASE_URL", address)
    monkeypatch.setenv("KUCOIN_FUTURES_BASE_URL", address)
    assert failure(run("fetch_cycle")) == OFF
    assert not simulator.ledger.entries
    assert not load_settings().of(LCW).spool_dir.exists()
    sync = run("token_registry_sync")
    assert {values["source"] for values in materialized(sync).values()} == {"kucoin"}
    assert facts() == [("kucoin",)]
    assert {entry.provider for entry in simulator.ledger.entries} == {"kucoin_futures"}


def ticks(definitions: dg.Definitions) -> dict[str, str | None]:
    """What each schedule and sensor says: empty where it starts a run."""
    said: dict[str, str | None] = {}
    with dg.instance_for_test() as instance:
        for schedule in map(definitions.resolve_schedule_def, SCHEDULES.values()):
            with dg.build_schedule_context(instance=instance, scheduled_execution_time=TICK) as context:
                result: Any = schedule(context)
            said[schedule.name] = result.skip_message if isinstance(result, dg.SkipReason) else ""
        for sensor in (fill_gaps, resume_backfills, watch_cycles, watch_checks, watch_runs):
            with dg.build_sensor_context(
                instance=instance, repository_def=definitions.get_repository_def()
            ) as of_sensor:
                result = sensor(of_sensor)
                result = result if isinstance(result, dg.SkipReason) else next(iter(result))
            said[sensor.name] = result.skip_message
    return said


def test_what_is_off_is_started_by_nobody_but_a_person(
    definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCW_MODE", "live")
    said = ticks(definitions)
    assert {name for name, text in said.items() if text == OFF} == {
        "fetch_cycle_every_minute", "fill_gaps", "resume_backfills",
    }  # fmt: skip
    assert said["token_registry_sync"] == ""
    monkeypatch.setenv("LCW_API_KEY", KEY)
    assert OFF not in ticks(definitions).values()


@pytest.mark.parametrize("job", ["fetch_cycle", "token_registry_sync", "performance_report", "derive"])
def test_a_wrong_mode_fails_every_run_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, job: str) -> None:
    monkeypatch.setenv("LCW_MODE", "test")
    result = run(job)
    errors = [
        event.step_failure_data.error.message
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_FAILURE and event.step_failure_data.error
    ]
    assert errors
    for error in errors:
        assert error.removeprefix("dagster._core.definitions.events.Failure: ").startswith(WRONG)
        assert "\n" not in error.strip()


def test_with_a_wrong_mode_definitions_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the UI would show a traceback, and not one job."""
    monkeypatch.setenv("LCW_MODE", "test")
    assert defs().get_repository_def().has_job("fetch_cycle")


def test_with_a_wrong_mode_sensors_say_so(definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_MODE", "test")
    said = ticks(definitions)
    assert {said[name] for name in ("fill_gaps", "watch_cycles", "watch_checks", "watch_runs")} == {WRONG}
    assert said["fetch_cycle_every_minute"] == ""  # its run says it


def test_a_new_source_is_connected_by_what_it_declares(
    add_source: AddSource, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_source()
    toy = discover()["toy"]
    sink = Kept()

    def status(**options: Any) -> Any:
        with connect(toy, load_settings(), sink=sink, deadline=Deadline.after(PATIENCE_S), **options) as api:
            assert api.status() == 200
        return api

    api = status()  # the embedded simulator
    assert (api.simulated, api.coins) == (True, 1000)
    status(first=False)
    assert [attempt.source for attempt in sink.attempts] == ["toy-simulator", "toy-simulator-history"]
    monkeypatch.setenv("LCW_MODE", "live")
    with pytest.raises(SourceOffError, match=r"^Toy Exchange is off: TOY_API_KEY is not set, "):
        status()
    monkeypatch.setenv("TOY_API_KEY", KEY)
    assert f"authorization: {KEY}".encode() in heads("TOY_BASE_URL", monkeypatch, status)
    assert sink.attempts[-1].source == "toy"
    monkeypatch.setenv("TOY_BASE_URL", start_simulator()[1])
    assert status().simulated is False


def test_a_request_takes_no_longer_than_the_source_declares(
    add_source: AddSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_source(spec=SPEC.replace("call_s=7.0", "call_s=0.2"))
    sink = Kept()
    with raw_server(silence) as address:
        monkeypatch.setenv("TOY_BASE_URL", address)
        with (
            connect(discover()["toy"], load_settings(), sink=sink, deadline=Deadline.after(5)) as api,
            pytest.raises(CallError),
        ):
            api.status()
    assert [attempt.outcome for attempt in sink.attempts][:2] == ["timeout", "timeout"]  # one is all that 5 s are for


def test_who_is_not_first_leaves_a_part_of_the_rate(
    add_source: AddSource, start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four at once, one is in reserve: the fourth has no time to wait for the next."""
    add_source()
    monkeypatch.setenv("TOY_BASE_URL", start_simulator()[1])
    monkeypatch.setenv("TOY_CALLS_PER_S", "0.1")
    monkeypatch.setenv("TOY_BURST", "4")
    toy, sink, settings = discover()["toy"], Kept(), load_settings()
    with connect(toy, settings, sink=sink, deadline=Deadline.after(5), first=False) as api:
        for _ in range(3):
            api.status()
        with pytest.raises(CallError, match="the rate limit lets nobody ask"):
            api.status()
    assert [attempt.outcome for attempt in sink.attempts][:4] == ["ok", "ok", "ok", "deadline"]
    assert RateLimit(settings.of(toy).rate_limit_file, settings.of(toy).rate).take() == 0
