"""Every load that is declared has a schedule that starts it each minute, unless its run before is still going on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone

import dagster as dg
import pytest

from lcw_assets.defs.market.definitions import fetch_cycle
from lcw_assets.defs.prices.definitions import quote_prices
from lcw_assets.defs.registry.definitions import token_registry_sync
from lcw_assets.orchestration.guard import SCHEDULED_AT_TAG

TICK = datetime(2026, 11, 20, 12, 1, tzinfo=timezone.utc)
OTHERS = {"fetch_cycle": "token_registry_sync", "token_registry_sync": "fetch_cycle", "quote_prices": "fetch_cycle"}
SCHEDULES = {one.job: one.schedule or one.job for one in (fetch_cycle, token_registry_sync, quote_prices)}

both = pytest.mark.parametrize("job", SCHEDULES)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """On disk, because a schedule opens the instance by itself."""
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        yield instance


def schedule(definitions: dg.Definitions, job: str) -> dg.ScheduleDefinition:
    return definitions.resolve_schedule_def(SCHEDULES[job])


def tick(instance: dg.DagsterInstance, definitions: dg.Definitions, job: str) -> dg.RunRequest | dg.SkipReason:
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=TICK, repository_def=definitions.get_repository_def()
    ) as context:
        result = schedule(definitions, job)(context)
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def add_run(instance: dg.DagsterInstance, definitions: dg.Definitions, job: str, status: str) -> str:
    status_of_run = dg.DagsterRunStatus[status]
    return instance.create_run_for_job(definitions.resolve_job_def(job), status=status_of_run).run_id


@both
def test_every_minute_and_on_from_the_start(definitions: dg.Definitions, job: str) -> None:
    made = schedule(definitions, job)
    assert made.name == {"fetch_cycle": "fetch_cycle_every_minute"}.get(job, job)
    assert (made.job_name, made.cron_schedule, made.execution_timezone) == (job, "* * * * *", "UTC")
    assert made.default_status == dg.DefaultScheduleStatus.RUNNING


@both
def test_a_tick_that_finds_nothing_running_starts_a_run(
    instance: dg.DagsterInstance, definitions: dg.Definitions, job: str
) -> None:
    """Neither runs that ended nor those of the other job matter."""
    for status in ("SUCCESS", "FAILURE", "CANCELED"):
        add_run(instance, definitions, job, status)
    add_run(instance, definitions, OTHERS[job], "STARTED")
    request = tick(instance, definitions, job)
    assert isinstance(request, dg.RunRequest)
    assert request.tags[SCHEDULED_AT_TAG] == "2026-11-20T12:01:00+00:00"


@both
@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_a_tick_that_finds_a_run_going_on_skips_and_names_it(
    instance: dg.DagsterInstance, definitions: dg.Definitions, job: str, status: str
) -> None:
    run_id = add_run(instance, definitions, job, status)
    skip = tick(instance, definitions, job)
    assert isinstance(skip, dg.SkipReason)
    assert f"run {run_id} of {job} is {status} since " in (skip.skip_message or "")


@pytest.mark.parametrize(
    ("job", "step", "most_s"),
    [("fetch_cycle", "cycle", 90), ("token_registry_sync", "sync", 60), ("quote_prices", "prices", 60)],
)
def test_the_job_is_one_step_in_one_process_and_cannot_run_for_ever(
    definitions: dg.Definitions, job: str, step: str, most_s: int
) -> None:
    made = definitions.resolve_job_def(job)
    assert [node.name for node in made.nodes_in_topological_order] == [step]
    assert made.executor_def.name == "in_process"
    assert int(made.tags["dagster/max_runtime"]) == most_s
