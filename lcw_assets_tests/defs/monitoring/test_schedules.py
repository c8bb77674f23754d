"""Ticks that started no cycle, as Dagster keeps them, on their way into the report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from lcw_assets.defs.monitoring.idle import Tick
from lcw_assets.defs.monitoring.schedules import CYCLES, read_schedule
from lcw_assets.ingest.spool import Spool
from lcw_assets.orchestration.guard import StillRunning, run_unless_running
from lcw_assets.settings import DataSettings
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.defs.monitoring.facts import NOON, cycle, load
from lcw_assets_tests.defs.monitoring.test_reports import metadata, run


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk: an ephemeral one keeps no ticks."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield instance


def add_ticks(
    instance: dg.DagsterInstance,
    *ticks: tuple[datetime, TickStatus, str],
    name: str = CYCLES,
    location: str = "lcw_assets",
) -> None:
    """Ticks of a schedule: when, what came of it, and why."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
    origin = RemoteInstigatorOrigin(repository, name)
    state = InstigatorState(
        origin, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, ScheduleInstigatorData("* * * * *", 0.0)
    )
    instance.add_instigator_state(state)
    for at, status, why in ticks:
        error = SerializableErrorInfo(f"{why}\nand more", [], "Error") if status == TickStatus.FAILURE else None
        wrapped = SerializableErrorInfo("Error in schedule", [], "Outer", cause=error) if error else None
        instance.create_tick(
            TickData(
                origin.get_id(),
                name,
                InstigatorType.SCHEDULE,
                status,
                at.timestamp(),
                run_ids=[],
                selector_id=state.selector_id,
                skip_reason=why if status == TickStatus.SKIPPED else None,
                error=wrapped,
            )
        )


def skip_reason(instance: dg.DagsterInstance, definitions: dg.Definitions) -> str:
    """What the schedule itself says of a cycle that runs."""
    job = definitions.resolve_job_def("fetch_cycle")
    run_ = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=NOON) as context:
        skipped = run_unless_running(context, job.name)
    assert isinstance(skipped, dg.SkipReason)
    assert run_.run_id in (skipped.skip_message or "")
    return skipped.skip_message or ""


def test_skipped_and_failed_ticks_are_read_without_what_differs_each_time(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    minutes = [now - timedelta(minutes=back) for back in range(6)]
    add_ticks(
        instance,
        (minutes[5], TickStatus.SKIPPED, "before the window"),
        (minutes[4], TickStatus.SKIPPED, skip_reason(instance, definitions)),
        (minutes[3], TickStatus.SKIPPED, skip_reason(instance, definitions)),
        (minutes[2], TickStatus.SUCCESS, ""),
        (minutes[1], TickStatus.FAILURE, "no module named x"),
    )
    add_ticks(instance, (minutes[2], TickStatus.SKIPPED, "another"), name="token_registry_sync")
    # The same minute in another code location, where the schedule was on as well, is no other minute.
    add_ticks(instance, (minutes[3], TickStatus.SKIPPED, "a run of fetch_cycle was STARTED"), location="other")
    found = read_schedule(instance, Spool(DataSettings().of(LCW).spool_dir), minutes[4], now)
    assert sorted(found.ticks, key=lambda tick: tick.due_at) == [
        Tick(minutes[4], skipped=True, reason="a run of fetch_cycle was STARTED"),
        Tick(minutes[3], skipped=True, reason="a run of fetch_cycle was STARTED"),
        Tick(minutes[1], skipped=False, reason="no module named x"),
    ]
    assert (found.now, found.spooled) == (now, [])


def test_reasons_that_are_not_ours_stay_as_they_are(instance: dg.DagsterInstance) -> None:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    reasons = ["nothing to do", "", "run 1 of derive is late since 12:00:00 CET", "run  of a b is c since d UTC"]
    minutes = [now - timedelta(minutes=back) for back in range(len(reasons))]
    add_ticks(instance, *((at, TickStatus.SKIPPED, why) for at, why in zip(minutes, reasons, strict=True)))
    found = read_schedule(instance, Spool(DataSettings().of(LCW).spool_dir), minutes[-1], now)
    ticks = sorted(found.ticks, key=lambda tick: tick.due_at, reverse=True)
    assert [tick.reason for tick in ticks] == ["nothing to do", "no reason given", *reasons[2:]]


def test_the_reason_of_a_skipped_tick_is_read_by_the_class_that_writes_it() -> None:
    running = StillRunning("1a2b3c4d-0000", "fetch_cycle", "STARTED", "12:00:00")
    assert StillRunning.read(str(running)) == running
    assert StillRunning.read(f"{running}.") is None


def test_an_instance_without_schedules_knows_of_no_tick(definitions: dg.Definitions) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        found = read_schedule(instance, Spool(DataSettings().of(LCW).spool_dir), NOON - timedelta(hours=1), NOON)
    assert (found.ticks, found.ticks_since) == ((), NOON)


def test_cycles_in_the_spool_are_read_from_their_names() -> None:
    spool = Spool(DataSettings().of(LCW).spool_dir)
    spool.folder.mkdir(parents=True)
    for name in ("20261120T115900.250Z-1a2b3c4d", "20261120T115800.000Z-1a2b3c4d-1", "something-else"):
        (spool.folder / f"{name}.jsonl").touch()
    with dg.DagsterInstance.ephemeral() as instance:
        found = read_schedule(instance, spool, NOON, NOON)
    assert found.spooled == [NOON - timedelta(minutes=2), NOON - timedelta(seconds=59.75)]


def test_the_report_of_72_hours_has_them(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """Three cycles in the last ten minutes, none before them. Since then two ticks were skipped."""
    now = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    began = {back: now - timedelta(minutes=back) for back in range(20)}
    DataSettings().data_dir.mkdir()
    with open_database(DataSettings().database) as db:
        rows = [cycle(back, began[back], 4.0) for back in (5, 9)]
        load(db, "ops.cycles", [*rows, cycle(10, began[10], 70.0)])
    skip = skip_reason(instance, definitions)
    add_ticks(instance, *((began[back], TickStatus.SKIPPED, skip) for back in (15, 9, 8)))
    found = metadata(run(definitions, instance, "performance_report"))["reports/performance_72h"]
    with open_database(DataSettings().database, read_only=True) as db:
        [(computed_at,)] = db.execute("SELECT computed_at FROM reports.performance_72h").fetchall()
    over = (computed_at - timedelta(minutes=2)).replace(second=0, microsecond=0)
    # From the tenth minute before on, less the three with a cycle.
    assert found["minutes_without_a_cycle"] == (over - began[10]) // timedelta(minutes=1) - 3
    assert (found["skipped_ticks"], found["failed_ticks"]) == (2, 0)
    assert (
        "| skipped ticks | 2 | 1 while a cycle ran; most often: a run of fetch_cycle was STARTED (2 times) |"
        in (found["report"])
    )
