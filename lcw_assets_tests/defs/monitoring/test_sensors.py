"""What the three sensors see and say: one test a state that they may find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)

from lcw_assets.alerts.incidents import Observation
from lcw_assets.defs.monitoring import running, schedules
from lcw_assets.defs.monitoring.checks import CAUSE, MEASURED, sla_results
from lcw_assets.defs.monitoring.codes import Cause, Code
from lcw_assets.defs.monitoring.live import explain_running, explain_spooled
from lcw_assets.defs.monitoring.schedules import every_minute, silent_schedules, watching_since
from lcw_assets.defs.monitoring.sensors import watch_checks, watch_cycles, watch_runs
from lcw_assets.defs.monitoring.sla import BUILT_IN, load_sla
from lcw_assets.defs.monitoring.sla_state import CheckState
from lcw_assets.defs.monitoring.spools import growing_spool, watched_spools
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_writer import SpoolWriter
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG
from lcw_assets.settings import DataSettings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets.warehouse.errors import Holder, LockWait
from lcw_assets_tests.alerts.receivers import webhook
from lcw_assets_tests.conftest import NOON
from lcw_assets_tests.holders import held_open

SLA = load_sla()
Status = dg.DagsterRunStatus


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """On disk, with the launcher that users have."""
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        yield instance


class Watch:
    """A sensor with its cursor, evaluated again and again as the daemon does."""

    def __init__(self, sensor: dg.SensorDefinition, instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
        self.sensor = sensor
        self.instance = instance
        self.repository = definitions.get_repository_def()
        self.cursor: str | None = None

    def evaluate(self) -> str:
        """What the tick says in the UI."""
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, repository_def=self.repository
        ) as context:
            result = self.sensor(context)
            self.cursor = context.cursor
        assert isinstance(result, dg.SkipReason)
        return result.skip_message or ""

    def later(self, seconds: float) -> None:
        """As if everything in the cursor had happened so much earlier."""
        assert self.cursor

        def shift(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: shift(one) for name, one in value.items()}
            if isinstance(value, str) and value[:4].isdigit() and "T" in value:
                return (datetime.fromisoformat(value.replace("Z", "+00:00")) - timedelta(seconds=seconds)).isoformat()
            return value

        self.cursor = json.dumps(shift(json.loads(self.cursor)))


def alerts() -> list[tuple[Any, ...]]:
    with open_database(DataSettings().database) as db:
        return db.execute("SELECT incident, kind, severity FROM ops.alerts ORDER BY alert_id").fetchall()


def add_run(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    status: dg.DagsterRunStatus = Status.STARTED,
    tags: dict[str, str] | None = None,
    job: str = "fetch_cycle",
) -> dg.DagsterRun:
    """A run as the schedule makes them."""
    definition = definitions.resolve_job_def(job)
    run = instance.create_run_for_job(definition, status=Status.STARTING, tags={**definition.tags, **(tags or {})})
    kinds = {Status.STARTED: dg.DagsterEventType.RUN_START, Status.FAILURE: dg.DagsterEventType.RUN_FAILURE,
             Status.SUCCESS: dg.DagsterEventType.RUN_SUCCESS}  # fmt: skip
    if status in kinds:
        event = dg.DagsterEvent(event_type_value=kinds[status].value, job_name=job, message="it broke")
        instance.report_dagster_event(event, run.run_id)
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found


def seen_running(
    instance: dg.DagsterInstance, seconds: float, sla: Any = SLA, now: datetime | None = None
) -> list[Observation]:
    """What is seen of running cycles so many seconds after `now`, or after the latest run was made."""
    [latest] = instance.get_run_records(limit=1)
    now = (now or latest.create_timestamp) + timedelta(seconds=seconds)
    seen = list(running.running_cycles(instance, Spool(DataSettings().of(LCW).spool_dir), sla, now))
    for one in seen:
        one.act()
    return [one.observation for one in seen]


# Cycles that still run.


@pytest.mark.parametrize("status", [Status.STARTED, Status.STARTING])
def test_a_cycle_is_slow_after_30_s_and_critical_after_60(
    instance: dg.DagsterInstance, definitions: dg.Definitions, status: dg.DagsterRunStatus
) -> None:
    run = add_run(instance, definitions, status)
    assert seen_running(instance, 29) == []
    [warning] = seen_running(instance, 31)
    assert (warning.incident, warning.severity, warning.run_id) == ("cycle_time", "warning", run.run_id)
    assert warning.what == f"the cycle of run {run.run_id[:8]} still runs after 31 s, over 30 s ({status.value})"
    assert warning.cause == "it has not begun to pull: it is queued or still starting, or stored by now"
    [critical] = seen_running(instance, 61)
    assert (critical.incident, critical.severity) == ("cycle_time", "critical")
    tagged = instance.get_run_by_id(run.run_id)
    assert tagged
    expected = {"lcw/slow": "cycle_time", "lcw/slow_severity": "critical", "lcw/slow_run": run.run_id}
    assert expected.items() <= tagged.tags.items()


def test_the_time_of_a_scheduled_cycle_counts_from_its_tick(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    tick = datetime.now(timezone.utc) - timedelta(seconds=25)
    add_run(instance, definitions, tags={SCHEDULED_AT_TAG: tick.isoformat()})
    assert seen_running(instance, 30, now=tick) == []
    [warning] = seen_running(instance, 31, now=tick)
    assert warning.since == tick


def test_the_cause_is_what_the_cycle_waits_for_right_now(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    run = add_run(instance, definitions)
    now = datetime.now(timezone.utc)
    with spooling(run, now) as spool:
        [seen] = seen_running(instance, 31, now=now)
        assert seen.cause == "status has not answered for 31 s; 3 of 3 calls are missing"
        spool.response(Row(endpoint="status", request={}, payload="{}"))
        spool.response(Row(endpoint="coins/list", request={"offset": 0}, payload="[]"))
        attempt = {
            "attempt": 1,
            "waited_s": 0.0,
            "latency_s": 0.4,
            "http_status": 503,
            "outcome": "server_error",
            "started_at": now.isoformat(),
        }
        spool.attempt(Row(endpoint="coins/list", request={"offset": 100}, **attempt))
        [seen] = seen_running(instance, 41.4, now=now)
        assert seen.cause == "coins/list offset 100 has not answered for 41 s on attempt 2 after a 503"
        spool.response(Row(endpoint="coins/list", request={"offset": 100}, payload="[]"))
        [seen] = seen_running(instance, 42, now=now)
        assert seen.cause == "every response is there, and the process has not gone on"


def test_the_cause_of_a_cycle_that_still_runs_has_a_code(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    run, now = add_run(instance, definitions), datetime.now(timezone.utc)
    spool = Spool(DataSettings().of(LCW).spool_dir)
    codes = [explain_running(spool, run.run_id, now).code]
    with spooling(run, now) as writer:
        codes.append(explain_running(spool, run.run_id, now).code)
        waits = explain_running(spool, run.run_id, now + timedelta(seconds=31))
        assert waits.fields == {"call": "status", "waited_s": 31, "missing": 3, "planned": 3}
        writer.end(FetchEnd(now, 2.5, []))
        codes.append(explain_running(spool, run.run_id, now).code)
    [path] = spool.files()
    path.write_text("no json")
    codes.append(explain_spooled(spool, path, now).code)
    assert codes == [Code.not_pulling, Code.no_response, Code.not_stored, Code.spool_unreadable]


class Row(dict[str, Any]):
    def to_row(self) -> dict[str, Any]:
        return dict(self)


def spooling(run: dg.DagsterRun, now: datetime) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def spool() -> Iterator[SpoolWriter]:
        cycle_id = f"{now:%Y%m%dT%H%M%S}.000Z-{run.run_id[:8]}"
        cycle = Load.begun(cycle_id, "fetch_cycle", now, run_id=run.run_id, source="simulator", currency="USD")
        with Spool(DataSettings().of(LCW).spool_dir).open(cycle) as writer:
            writer.plan([("status", {}), ("coins/list", {"offset": 0}), ("coins/list", {"offset": 100})])
            yield writer

    return spool()


def test_a_cycle_past_its_maximum_runtime_is_ended(instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
    run = add_run(instance, definitions)
    [record] = instance.get_run_records()
    assert record.start_time  # a moment after its creation
    started_at = datetime.fromtimestamp(record.start_time, timezone.utc)
    assert [seen.incident for seen in seen_running(instance, 89.9, now=started_at)] == ["cycle_time"]
    [seen] = seen_running(instance, 92.4, now=started_at)
    assert (seen.incident, seen.severity) == ("cycle_ended", "critical")
    assert seen.what == f"the cycle of run {run.run_id[:8]} is ended after 92 s: it may run 90 s"
    ended = instance.get_run_by_id(run.run_id)
    assert ended and ended.status == Status.FAILURE
    assert seen_running(instance, 102) == []


def test_a_cycle_whose_process_died_is_marked_as_failed_at_once(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """Otherwise it would count as running, and the schedule would skip, until its maximum runtime."""
    run = add_run(instance, definitions)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        instance.report_engine_event("started", run, EngineEventData.in_process(worker.pid))
        assert seen_running(instance, 5) == []
        worker.kill()
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet buried
        [seen] = seen_running(instance, 5)
    assert seen.incident == "cycle_died"
    assert f"has no process any more ({worker.pid}): it is marked as failed" in seen.what
    failed = instance.get_run_by_id(run.run_id)
    assert failed and failed.status == Status.FAILURE


def test_cycles_that_ended_and_runs_of_other_jobs_are_not_examined(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    add_run(instance, definitions, Status.SUCCESS)
    add_run(instance, definitions, Status.FAILURE)
    add_run(instance, definitions, Status.STARTED, job="performance_report")
    assert seen_running(instance, 1000) == []


@pytest.mark.usefixtures("no_hurry")
def test_a_slow_cycle_is_alerted_once_escalated_and_recovered(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Watch(watch_cycles, instance, definitions)
    tick = datetime.now(timezone.utc) - timedelta(seconds=40)
    with webhook() as hook:
        monkeypatch.setenv("LCW_ALERT_URLS", f"json://127.0.0.1:{hook.port}/")
        monkeypatch.setenv("LCW_UI_URL", "http://ui:3000/")
        assert watch.evaluate() == "nothing is wrong"
        assert not DataSettings().database.exists()  # nothing is opened while all is well
        run = add_run(instance, definitions, tags={SCHEDULED_AT_TAG: tick.isoformat()})
        for _ in range(3):
            assert watch.evaluate() == f"open: cycle_time since {tick:%H:%M:%S}"
        event = dg.DagsterEvent(event_type_value="PIPELINE_SUCCESS", job_name="fetch_cycle")
        instance.report_dagster_event(event, run.run_id)
        watch.later(100)
        assert watch.evaluate().startswith("open: cycle_time")  # it may come back with the next cycle
        watch.later(151)
        assert watch.evaluate() == "nothing is wrong"
    assert [received["title"] for received in hook.received] == [
        "lcw-assets warning: cycle_time",
        "lcw-assets recovered: cycle_time",
    ]
    assert hook.received[0]["message"].splitlines()[-1] == f"Run: http://ui:3000/runs/{run.run_id}"
    assert alerts() == [("cycle_time", "opened", "warning"), ("cycle_time", "recovered", "warning")]


# The schedule, the spool, the channels.


def add_tick(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    at: datetime,
    status: InstigatorStatus,
    on_since: datetime | None = None,
    name: str = schedules.CYCLES,
) -> None:
    [schedule] = [schedule for schedule in definitions.get_repository_def().schedule_defs if schedule.name == name]
    from dagster._core.remote_origin import (
        RegisteredCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )

    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("lcw_assets"), "__repository__"), schedule.name
    )
    state = InstigatorState(
        origin, InstigatorType.SCHEDULE, status, ScheduleInstigatorData("* * * * *", (on_since or at).timestamp())
    )
    instance.add_instigator_state(state)
    instance.create_tick(
        TickData(
            origin.get_id(), schedule.name, InstigatorType.SCHEDULE, TickStatus.SUCCESS, at.timestamp(),
            run_ids=[], selector_id=state.selector_id,
        )
    )  # fmt: skip


EVERY_MINUTE = {schedules.CYCLES, "token_registry_sync"}


def silent(instance: dg.DagsterInstance, watching_since: datetime, now: datetime) -> list[Observation]:
    return list(silent_schedules(instance, EVERY_MINUTE, watching_since, SLA, now))


@pytest.mark.parametrize("status", [InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE])
def test_a_schedule_that_has_stopped_ticking_is_critical(
    instance: dg.DagsterInstance, definitions: dg.Definitions, status: InstigatorStatus
) -> None:
    now = datetime.now(timezone.utc)
    add_tick(instance, definitions, now - timedelta(seconds=200), status)
    [seen] = silent(instance, now - timedelta(hours=1), now)
    assert (seen.incident, seen.severity) == ("schedule", "critical")
    assert seen.what.startswith("not ticked since ")
    assert seen.what.endswith(" UTC: fetch_cycle_every_minute")
    assert silent(instance, now - timedelta(hours=1), now - timedelta(seconds=30)) == []


def test_schedules_that_are_silent_together_are_one_incident(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    now = datetime.now(timezone.utc)
    for name in (schedules.CYCLES, "token_registry_sync"):
        add_tick(instance, definitions, now - timedelta(seconds=200), InstigatorStatus.RUNNING, name=name)
    [seen] = silent(instance, now - timedelta(hours=1), now)
    assert seen.what.endswith(" UTC: fetch_cycle_every_minute, token_registry_sync")


def test_every_schedule_of_the_repository_that_is_due_each_minute_is_watched(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """A concept that declares a new one edits no list here."""

    @dg.job
    def of_a_user(): ...  # type: ignore[no-untyped-def]

    own = [
        dg.ScheduleDefinition(name="quotes", job=of_a_user, cron_schedule="* * * * *"),
        dg.ScheduleDefinition(name="hourly", job=of_a_user, cron_schedule="7 * * * *"),
    ]
    more = dg.Definitions.merge(definitions, dg.Definitions(schedules=own))
    assert every_minute(more.get_repository_def()) == {*EVERY_MINUTE, "quote_prices", "quotes"}
    now = datetime.now(timezone.utc)
    for schedule in own:
        add_tick(instance, more, now - timedelta(hours=1), InstigatorStatus.RUNNING, name=schedule.name)
    watch = Watch(watch_cycles, instance, more)
    watch.evaluate()
    watch.cursor = json.dumps(
        {"evaluated_at": now.isoformat(), "watching_since": (now - timedelta(hours=2)).isoformat()}
    )
    assert watch.evaluate().startswith("open: schedule since ")
    with open_database(DataSettings().database) as db:
        [(what,)] = db.execute("SELECT what FROM ops.alerts").fetchall()
    assert what.endswith(" UTC: quotes")


def test_the_names_that_watching_knows_are_those_of_the_cycle(definitions: dg.Definitions) -> None:
    assert definitions.resolve_job_def(running.CYCLES)
    assert every_minute(definitions.get_repository_def()) >= {schedules.CYCLES}


def test_a_schedule_that_somebody_stopped_may_be_silent(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    now = datetime.now(timezone.utc)
    add_tick(instance, definitions, now - timedelta(days=1), InstigatorStatus.STOPPED)
    assert silent(instance, now - timedelta(days=1), now) == []


def test_a_schedule_that_was_just_switched_on_again_has_time(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    now = datetime.now(timezone.utc)
    add_tick(instance, definitions, now - timedelta(hours=1), InstigatorStatus.RUNNING, on_since=now)
    assert silent(instance, now - timedelta(days=1), now + timedelta(seconds=10)) == []


def test_a_schedule_of_another_code_location_does_not_matter(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    now = datetime.now(timezone.utc)
    add_tick(instance, definitions, now - timedelta(hours=1), InstigatorStatus.RUNNING)
    ever = now - timedelta(days=1)
    assert len(list(silent_schedules(instance, EVERY_MINUTE, ever, SLA, now, "lcw_assets"))) == 1
    assert list(silent_schedules(instance, EVERY_MINUTE, ever, SLA, now, "another")) == []


@pytest.mark.parametrize(
    "tags", [{"dagster/max_runtime": "abc"}, {SCHEDULED_AT_TAG: "soon"}, {SCHEDULED_AT_TAG: "2026-11-20T12:00:00"}]
)
def test_tags_that_a_person_wrote_stop_no_watch(
    instance: dg.DagsterInstance, definitions: dg.Definitions, tags: dict[str, str]
) -> None:
    add_run(instance, definitions, tags=tags)
    [seen] = seen_running(instance, 31)
    assert seen.severity == "warning"


def test_a_night_in_which_nothing_ran_is_no_silence(instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
    """The daemon was off as well: its first look in the morning comes before the schedule's first tick."""
    now = datetime.now(timezone.utc)
    add_tick(instance, definitions, now - timedelta(hours=8), InstigatorStatus.RUNNING)
    since = watching_since(now - timedelta(hours=8), now - timedelta(days=3), now)
    assert since == now
    assert silent(instance, since, now) == []
    later = now + timedelta(seconds=190)
    since = watching_since(later - timedelta(seconds=10), since, later)
    assert len(silent(instance, since, later)) == 1


def test_spooled_work_that_grows_is_reported_and_what_shrinks_is_not(tmp_path: Path) -> None:
    spool, syncs = Spool(tmp_path / "spool"), Spool(tmp_path / "syncs")
    spool.folder.mkdir()
    syncs.folder.mkdir()
    now = datetime.now(timezone.utc)
    depths = []
    for number in range(4):
        (spool.folder / f"{number}.jsonl").write_text("")
        depth, seen = growing_spool([spool, syncs], number, SLA, now)
        depths.append((depth, len(seen)))
    assert depths == [(1, 0), (2, 0), (3, 1), (4, 1)]
    (spool.folder / "0.jsonl").unlink()
    assert growing_spool([spool, syncs], 4, SLA, now) == (3, [])
    (syncs.folder / "0.jsonl").write_text("")
    _, [growing] = growing_spool([spool, syncs], 4, SLA, now)
    assert growing.what.startswith(f"responses wait, 3 in {spool.folder} and 1 in {syncs.folder}, and are not stored: ")


def test_the_spool_of_every_source_is_watched() -> None:
    folders = {spool.folder.name for spool in watched_spools(DataSettings())}
    assert folders == {"simulator", "kucoin-simulator", "prices-simulator"}


def test_who_keeps_the_spool_from_being_stored_is_named(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    now = datetime.now(timezone.utc)
    spool = Spool(DataSettings().of(LCW).spool_dir)
    runs = [add_run(instance, definitions) for _ in range(3)]
    for run in runs:
        with spooling(run, now):
            pass
    _, [seen] = growing_spool([spool], 0, SLA, now)
    assert seen.cause and seen.cause.startswith("the database is open elsewhere or cannot be written")
    newest = next(run for run in runs if run.run_id[:8] in spool.pending()[-1].name)
    spool.locked_out(newest.run_id, LockWait(NOON, 5.0, Holder("/bin/jupyter", 41)), print)
    spool.locked_out(newest.run_id, LockWait(NOON + timedelta(minutes=1), 5.0, Holder("/bin/duckdb", 42)), print)
    _, [seen] = growing_spool([spool], 0, SLA, now)
    assert seen.cause == "the database was held open by /bin/duckdb (process 42) at 12:01:00 UTC"


def test_an_address_that_is_none_is_reported_to_the_others_once(
    instance: dg.DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(watch_cycles, instance, definitions)
    with webhook() as hook:
        monkeypatch.setenv("LCW_ALERT_URLS", f"slakc://T0kenABC/s3cret json://127.0.0.1:{hook.port}/")
        watch.evaluate()
        watch.evaluate()
    [received] = hook.received
    assert received["title"] == "lcw-assets warning: channel 1"
    assert "address 1 of LCW_ALERT_URLS is not used: no address that apprise can use" in received["message"]
    assert "s3cret" not in json.dumps(hook.received) + str(watch.cursor)
    assert alerts() == [("channel 1", "opened", "warning")]


@pytest.mark.usefixtures("no_hurry")
def test_a_channel_that_fails_is_reported_to_the_others(
    instance: dg.DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(watch_cycles, instance, definitions)
    add_run(instance, definitions, tags={SCHEDULED_AT_TAG: _ago(40)})
    with webhook(500) as down, webhook() as up:
        monkeypatch.setenv("LCW_ALERT_URLS", f"json://127.0.0.1:{down.port}/ json://127.0.0.1:{up.port}/")
        watch.evaluate()
        hurry(DataSettings().alerts_dir)
        watch.evaluate()
        watch.evaluate()
    assert [received["title"] for received in up.received] == [
        "lcw-assets warning: cycle_time",
        "lcw-assets warning: channel 1 (JSON)",
    ]


def hurry(folder: Path) -> None:
    """As if the time to try again had come."""
    for file in folder.glob("*.json"):
        letter = json.loads(file.read_text())
        file.write_text(json.dumps({**letter, "next_at": _ago(1)}))


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cycle that is slow stays a warning, however long the test takes."""
    file = tmp_path / "sla.toml"
    file.write_text(BUILT_IN.read_text().replace("cycle_error_s = 60", "cycle_error_s = 86400"))
    monkeypatch.setenv("LCW_SLA_FILE", str(file))


def _ago(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()


@pytest.mark.usefixtures("no_hurry")
def test_a_locked_database_delays_no_alert_and_loses_none(
    instance: dg.DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(watch_cycles, instance, definitions)
    add_run(instance, definitions, tags={SCHEDULED_AT_TAG: _ago(40)})
    DataSettings().data_dir.mkdir()
    with webhook() as hook:
        monkeypatch.setenv("LCW_ALERT_URLS", f"json://127.0.0.1:{hook.port}/")
        with held_open(DataSettings().database):
            watch.evaluate()
            assert len(hook.received) == 1
        watch.evaluate()
    assert len(hook.received) == 1
    assert alerts() == [("cycle_time", "opened", "warning")]


INCIDENT = (
    '{"incidents": {"x": {"latest": {"incident": "x", "severity": "warning", "what": "x", "since": "2026-11-20T12:00Z"}'
    ', "since": "2026-11-20T12:00Z", "seen_at": "2026-11-20T12:00Z", "alerted_at": "2026-11-20T12:00Z"'
    ', "repeat_s": %s}}}'
)


# An open incident as version 0.1 wrote it.
OLD_INCIDENT = (
    '{"incidents": {"job derive": {"latest": {"incident": "job derive", "severity": "critical", "what": "it failed", '
    '"since": "2026-11-20T12:00:00Z", "cause": null, "run_id": "1a2b"}, "since": "2026-11-20T12:00:00Z", '
    '"seen_at": "2026-11-20T12:00:00Z", "told_at": "2026-11-20T12:00:00Z", "repeat_s": 300.0}}, '
    '"looked_at": "2026-11-20T12:00:00Z", "watching_since": null, "spooled": 0}'
)


@pytest.mark.parametrize("sensor", [watch_cycles, watch_checks, watch_runs], ids=lambda sensor: sensor.name)
@pytest.mark.parametrize(
    "cursor",
    [
        '{"looked_at": "2026-11-20T12:00:00"}',
        '{"evaluated_at": "2026-11-20T12:00:00"}',
        OLD_INCIDENT,
        '{"looked_at": "0001-01-01T00:00:00+00:00"}',
        INCIDENT % "1e300",
        INCIDENT % "-1",
        INCIDENT % "NaN",
        "file:/etc/passwd",
        "[]",
    ],
)
def test_a_cursor_of_another_version_is_started_anew(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    sensor: dg.SensorDefinition,
    cursor: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Or one that somebody wrote in the UI."""
    watch = Watch(sensor, instance, definitions)
    watch.cursor = cursor
    assert watch.evaluate() == "nothing is wrong"
    assert "the cursor is not one that this version wrote: open incidents are alerted again" in capfd.readouterr().err
    assert alerts() == []  # nor is anything over that never was


# Checks and runs.


@pytest.fixture
def evaluate(instance: dg.DagsterInstance) -> Any:
    """Evaluate a check of `ops/cycles` in a run of its own, as a cycle does."""

    def run(name: str, *, passed: bool, severity: str = "WARN") -> str:
        @dg.asset_check(asset=["ops", "cycles"], name=name)
        def check() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(
                passed=passed,
                severity=dg.AssetCheckSeverity[severity],
                description="p99 78.7 s, target under 45 s. Likely cause: a person reads this",
                metadata={MEASURED: "p99 78.7 s, target under 45 s", CAUSE: "coins/list offset 600 took 41.2 s"},
            )

        result = (
            dg.Definitions(asset_checks=[check], jobs=[dg.define_asset_job("all")])
            .resolve_job_def("__ASSET_JOB")
            .execute_in_process(instance=instance)
        )
        return result.run_id

    return run


def test_a_failed_check_is_seen_behind_the_next_one_that_is_planned(
    instance: dg.DagsterInstance, definitions: dg.Definitions, evaluate: Any
) -> None:
    """A slow cycle's check and the next cycle's plan may be a second apart."""
    watch = Watch(watch_checks, instance, definitions)
    evaluate("sla_72h", passed=False)
    instance.create_run_for_job(
        definitions.resolve_job_def("fetch_cycle"),
        asset_selection=None,
        status=Status.NOT_STARTED,
    )
    assert watch.evaluate().startswith("open: ops/cycles:sla_72h since ")


def test_a_failed_check_that_blocks_nothing_is_reported_until_it_passes(
    instance: dg.DagsterInstance, definitions: dg.Definitions, evaluate: Any
) -> None:
    watch = Watch(watch_checks, instance, definitions)
    evaluate("sla_72h", passed=True)
    assert watch.evaluate() == "nothing is wrong"
    run_id = evaluate("sla_72h", passed=False)
    for _ in range(2):
        assert watch.evaluate().startswith("open: ops/cycles:sla_72h since ")
    evaluate("sla_72h", passed=False, severity="ERROR")
    watch.evaluate()
    evaluate("sla_72h", passed=True)
    watch.later(151)
    assert watch.evaluate() == "nothing is wrong"
    assert alerts() == [
        ("ops/cycles:sla_72h", "opened", "warning"),
        ("ops/cycles:sla_72h", "escalated", "critical"),
        ("ops/cycles:sla_72h", "recovered", "critical"),
    ]
    with open_database(DataSettings().database) as db:
        [row] = db.execute("SELECT what, cause, run_id, link FROM ops.alerts WHERE kind = 'opened'").fetchall()
    assert row == (
        "p99 78.7 s, target under 45 s",
        "coins/list offset 600 took 41.2 s",
        run_id,
        f"http://127.0.0.1:3000/runs/{run_id}",
    )


def test_the_alert_of_a_check_repeats_the_words_of_its_cause(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """Whatever the words are: the sensor reads them from the metadata."""
    error = "no pipe. Likely cause: a second sentence | `of` an API"
    measured = "72.0 s, target at most 30 s"
    state = CheckState("cycle_time", measured, False, causes=[Cause(Code.spool_unreadable, {"error": error})])
    [result] = sla_results([state], SLA)
    assert result.description == (
        f"{measured}. Likely cause: ``no pipe. Likely cause: a second sentence | `of` an API``"
    )
    assert result.metadata["cause_code"].value == "spool_unreadable"
    assert result.metadata["causes"].value == [{"code": "spool_unreadable", "error": error}]

    @dg.asset_check(asset=["ops", "cycles"], name="cycle_time")
    def check() -> dg.AssetCheckResult:
        return result

    dg.Definitions(asset_checks=[check]).resolve_job_def("__ASSET_JOB").execute_in_process(instance=instance)
    Watch(watch_checks, instance, definitions).evaluate()
    with open_database(DataSettings().database) as db:
        assert db.execute("SELECT what, cause FROM ops.alerts").fetchall() == [(measured, error)]


def reported(run_id: str, severity: str) -> dict[str, str]:
    """The tags that `watch_cycles` leaves on a slow run."""
    values = ("cycle_time", severity, run_id)
    return dict(zip((running.INCIDENT_TAG, running.SEVERITY_TAG, running.RUN_TAG), values, strict=True))


def test_a_slow_cycle_that_was_reported_while_it_ran_is_not_reported_again(
    instance: dg.DagsterInstance, definitions: dg.Definitions, evaluate: Any
) -> None:
    watch = Watch(watch_checks, instance, definitions)
    run_id = evaluate("cycle_time", passed=False, severity="ERROR")
    instance.add_run_tags(run_id, reported(run_id, "critical"))
    assert watch.evaluate() == "nothing is wrong"
    instance.add_run_tags(run_id, reported(run_id, "warning"))
    assert watch.evaluate().startswith("open: ops/cycles:cycle_time since ")  # it got worse after the last look
    evaluate("cycle_time", passed=False, severity="ERROR")  # one that ended between two looks
    assert watch.evaluate().startswith("open: ops/cycles:cycle_time since ")


def test_a_failed_run_is_reported_with_its_reason_until_the_job_works_again(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    watch = Watch(watch_runs, instance, definitions)
    assert watch.evaluate() == "nothing is wrong"
    add_run(instance, definitions, Status.FAILURE, job="performance_report")
    assert watch.evaluate().startswith("open: job performance_report since ")
    watch.later(200)
    add_run(instance, definitions, Status.SUCCESS)  # of another job
    assert watch.evaluate().startswith("open: job performance_report since ")
    add_run(instance, definitions, Status.SUCCESS, job="performance_report")
    watch.later(200)
    assert watch.evaluate() == "nothing is wrong"
    assert alerts() == [
        ("job performance_report", "opened", "critical"),
        ("job performance_report", "recovered", "critical"),
    ]
    with open_database(DataSettings().database) as db:
        [(what, cause)] = db.execute("SELECT what, cause FROM ops.alerts WHERE kind = 'opened'").fetchall()
    assert what.endswith(" of performance_report failed")
    assert cause == "it broke"


def test_a_failure_between_the_last_look_of_an_old_version_and_the_first_of_this_one_is_seen(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    watch = Watch(watch_runs, instance, definitions)
    add_run(instance, definitions, Status.FAILURE)
    watch.cursor = json.dumps({"incidents": {}, "looked_at": _ago(600)})
    watch.later(0)
    assert watch.evaluate().startswith("open: job fetch_cycle since ")


def test_a_run_that_a_check_blocked_is_reported_once_by_the_check(instance: dg.DagsterInstance) -> None:
    """The check knows the numbers; Dagster's error of the run has none."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("cycle_time", asset="cycles", blocking=True)])
    def cycles():  # type: ignore[no-untyped-def]  # Dagster takes no annotation that is text
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, description="72 s, limit 60 s")])

    own = dg.Definitions(assets=[cycles])
    runs, checks = (Watch(sensor, instance, own) for sensor in (watch_runs, watch_checks))
    runs.evaluate()
    assert not dg.materialize([cycles], instance=instance, raise_on_error=False).success
    assert runs.evaluate() == "nothing is wrong"
    checks.evaluate()
    with open_database(DataSettings().database) as db:
        assert db.execute("SELECT incident, what FROM ops.alerts").fetchall() == [
            ("cycles:cycle_time", "72 s, limit 60 s")
        ]


def test_an_alert_is_one_line_of_the_log(
    instance: dg.DagsterInstance, definitions: dg.Definitions, capfd: pytest.CaptureFixture[str]
) -> None:
    """Which is the terminal of `make dev`."""
    watch = Watch(watch_runs, instance, definitions)
    watch.evaluate()
    run = add_run(instance, definitions, Status.FAILURE)
    watch.evaluate()
    [line] = [line for line in capfd.readouterr().err.splitlines() if "lcw-assets critical" in line]
    assert f"job fetch_cycle; run {run.run_id[:8]} of fetch_cycle failed; Since: " in line
    assert line.endswith("; Likely cause: it broke")


def test_a_cycle_that_was_slow_and_then_failed_is_reported_as_failed(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    """An API that is silent makes every cycle slow, and then fail at its deadline."""
    watch = Watch(watch_runs, instance, definitions)
    watch.evaluate()
    for _ in range(2):
        run = add_run(instance, definitions)
        assert seen_running(instance, 31)
        event = dg.DagsterEvent(event_type_value="PIPELINE_FAILURE", job_name="fetch_cycle", message="no answer")
        instance.report_dagster_event(event, run.run_id)
        assert watch.evaluate().startswith("open: job fetch_cycle since ")
        watch.later(200)
    assert [kind for _, kind, _ in alerts()] == ["opened"]


def test_a_run_that_somebody_cancelled_is_no_recovery(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    watch = Watch(watch_runs, instance, definitions)
    watch.evaluate()
    add_run(instance, definitions, Status.FAILURE)
    watch.evaluate()
    instance.report_run_canceled(add_run(instance, definitions))
    watch.later(200)
    assert watch.evaluate().startswith("open: job fetch_cycle since ")


def test_a_failure_every_minute_is_one_incident(instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
    watch = Watch(watch_runs, instance, definitions)
    watch.evaluate()
    for _ in range(4):
        add_run(instance, definitions, Status.FAILURE)
        watch.evaluate()
        watch.later(60)
    assert alerts() == [("job fetch_cycle", "opened", "critical")]


def test_a_failure_that_is_known_or_tried_again_is_left_alone(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    watch = Watch(watch_runs, instance, definitions)
    watch.evaluate()
    add_run(instance, definitions, Status.FAILURE, tags={"dagster/will_retry": "true"})
    ended = add_run(instance, definitions)
    seen_running(instance, 100)
    assert watch.evaluate() == "nothing is wrong"
    # The run that Dagster starts in its place inherits its tags, and is another run.
    known = instance.get_run_by_id(ended.run_id)
    assert known and known.tags[running.INCIDENT_TAG] == "cycle_ended"
    add_run(instance, definitions, Status.FAILURE, tags=dict(known.tags))
    assert watch.evaluate().startswith("open: job fetch_cycle since ")


def test_a_real_failed_cycle_says_what_its_log_says(
    instance: dg.DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(watch_runs, instance, definitions)
    watch.evaluate()
    monkeypatch.setenv("LCW_COINS", "-1")
    definitions.resolve_job_def("fetch_cycle").execute_in_process(instance=instance, raise_on_error=False)
    watch.evaluate()
    with open_database(DataSettings().database) as db:
        [(cause,)] = db.execute("SELECT cause FROM ops.alerts").fetchall()
    assert cause == "LCW_COINS=-1 is out of range: it must be a number from 1 to 50000"


def test_the_sensors_are_on_from_the_start(definitions: dg.Definitions) -> None:
    sensors = definitions.get_repository_def().sensor_defs
    watching = [sensor for sensor in sensors if sensor.name.startswith("watch_")]
    assert {sensor.name for sensor in watching} == {"watch_cycles", "watch_checks", "watch_runs"}
    assert all(sensor.default_status == dg.DefaultSensorStatus.RUNNING for sensor in sensors)
    assert all(10 <= (sensor.minimum_interval_seconds or 0) <= 15 for sensor in watching)
    assert all(sensor.description for sensor in sensors)
