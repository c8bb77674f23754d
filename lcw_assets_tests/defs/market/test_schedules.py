"""The minute schedule on a real instance: one test a state that it may find."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone

import dagster as dg
import pytest

from lcw_assets.defs.market.schedules import fetch_cycle_every_minute
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG

TICK = datetime(2026, 11, 20, 12, 1, tzinfo=timezone.utc)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """On disk, because a schedule opens the instance by itself."""
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        yield instance


def tick(instance: dg.DagsterInstance, definitions: dg.Definitions) -> dg.RunRequest | dg.SkipReason:
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=TICK, repository_def=definitions.get_repository_def()
    ) as context:
        result = fetch_cycle_every_minute(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def add_run(instance: dg.DagsterInstance, definitions: dg.Definitions, status: dg.DagsterRunStatus) -> str:
    return instance.create_run_for_job(definitions.resolve_job_def("fetch_cycle"), status=status).run_id


def test_every_minute_and_on_from_the_start() -> None:
    assert fetch_cycle_every_minute.cron_schedule == "* * * * *"
    assert fetch_cycle_every_minute.default_status == dg.DefaultScheduleStatus.RUNNING
    assert fetch_cycle_every_minute.execution_timezone == "UTC"


def test_a_tick_that_finds_nothing_running_starts_a_cycle(
    instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    request = tick(instance, definitions)
    assert isinstance(request, dg.RunRequest)
    assert request.tags[SCHEDULED_AT_TAG] == "2026-11-20T12:01:00+00:00"


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_tick_that_finds_a_cycle_running_skips_and_names_it(
    instance: dg.DagsterInstance, definitions: dg.Definitions, status: str
) -> None:
    run_id = add_run(instance, definitions, dg.DagsterRunStatus[status])
    skip = tick(instance, definitions)
    assert isinstance(skip, dg.SkipReason)
    assert f"run {run_id} of fetch_cycle is {status} since " in (skip.skip_message or "")


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "CANCELED"])
def test_a_tick_that_finds_cycles_ended_starts_the_next(
    instance: dg.DagsterInstance, definitions: dg.Definitions, status: str
) -> None:
    add_run(instance, definitions, dg.DagsterRunStatus[status])
    assert isinstance(tick(instance, definitions), dg.RunRequest)


def test_a_run_of_another_job_does_not_matter(instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def other() -> None:
        nothing()

    instance.create_run_for_job(other, status=dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(instance, definitions), dg.RunRequest)
