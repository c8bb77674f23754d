"""What any concept with backfills by day gets: its days, what became of them, and runs that sensors start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import dagster as dg
import pytest

from lcw_assets.ingest.clock import DAY
from lcw_assets.orchestration.backfills import (
    Days,
    Report,
    backfill_job,
    chosen_days,
    fill_request,
    results,
    resume_sensor,
    resumed,
    spent_today,
)
from lcw_assets.orchestration.dagster_private import RANGE_END_TAG, RANGE_START_TAG
from lcw_assets.sources.kucoin_futures.spec import SOURCE as KUCOIN

FIRST = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAYS = Days(start_date="2026-01-01", timezone="UTC")
FEBRUARY = {RANGE_START_TAG: "2026-02-01", RANGE_END_TAG: "2026-02-03"}


@dataclass
class Ended:
    status: str
    complete: list[datetime]
    text: str = "two of three days"
    metadata: dict[str, Any] = field(default_factory=lambda: {"calls": 7})


@dataclass
class Signals:
    """A toy of a concept, whose run ends as `ended` says."""

    instance: dg.DagsterInstance
    ended: Ended
    chosen: list[tuple[datetime, datetime]] = field(default_factory=list)

    def run(self, tags: dict[str, str] = FEBRUARY) -> dg.ExecuteInProcessResult:
        @dg.multi_asset(
            name="signals",
            specs=[dg.AssetSpec(["toy", "signals"], skippable=True)],
            check_specs=[dg.AssetCheckSpec("all", asset=["toy", "signals"])],
            partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def signals(context) -> Iterator[Any]:  # type: ignore[no-untyped-def]
            self.chosen.append(chosen_days(context))
            check = dg.AssetCheckResult(passed=False, asset_key=["toy", "signals"], check_name="all")
            yield from results(context, self.ended, check)

        jobs = [backfill_job("signals", "toy/signals", {"lcw/toy": "signals"})]
        job = dg.Definitions([signals], jobs=jobs).resolve_job_def("backfill_signals")
        assert job.tags["lcw/toy"] == "signals"
        return job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False, run_config={})

    def days(self) -> set[str]:
        return set(self.instance.get_materialized_partitions(dg.AssetKey(["toy", "signals"])))


@pytest.fixture
def signals(instance: dg.DagsterInstance) -> Callable[[str, int], Signals]:
    return lambda status, days: Signals(instance, Ended(status, [FIRST + (31 + day) * DAY for day in range(days)]))


def test_a_run_that_is_done_marks_all_of_its_days(signals: Callable[[str, int], Signals]) -> None:
    toy = signals("done", 3)
    assert toy.run().success
    assert toy.chosen == [(FIRST + 31 * DAY, FIRST + 34 * DAY)]
    assert toy.days() == {"2026-02-01", "2026-02-02", "2026-02-03"}


@pytest.mark.parametrize(("status", "succeeds"), [("partial", True), ("credits", True), ("refused", False)])
def test_other_runs_mark_what_is_complete_and_keep_their_check(
    signals: Callable[[str, int], Signals], status: str, succeeds: bool
) -> None:
    toy = signals(status, 2)
    result = toy.run()
    assert result.success is succeeds
    assert toy.days() == {"2026-02-01", "2026-02-02"}
    assert [check.passed for check in result.get_asset_check_evaluations()] == [False]
    tomorrow = datetime.now(timezone.utc) + DAY
    assert len(list(resumed(toy.instance, ["signals"], (), tomorrow))) == (status == "credits")


def test_a_run_without_days_says_that_it_needs_some(signals: Callable[[str, int], Signals]) -> None:
    toy = signals("done", 0)
    [failed] = toy.run({}).filter_events(lambda event: event.is_step_failure)
    assert "toy/signals is filled by days: name a partition or a range" in str(failed.step_failure_data.error)


def test_a_run_is_gone_on_with_as_it_was_begun(instance: dg.DagsterInstance) -> None:
    """With its days and what it was given, less what is no field of the configuration any more."""
    given = {"refresh": True, "coins": "BTC", "of an older version": True, "secret": {"env": "HOME"}}
    run = dg.DagsterRun(
        job_name="backfill_signals",
        run_config={"ops": {"signals": {"config": given}}},
        tags={"lcw/stopped-signals": "credits", "lcw/for": "gaps", "lcw/credits": "12", "somebody": "else", **FEBRUARY},
        status=dg.DagsterRunStatus.SUCCESS,
    )
    instance.add_run(run)
    [record] = instance.get_run_records()
    [request] = resumed(instance, ["other", "signals"], ["refresh", "coins", "secret"], record.update_timestamp + DAY)
    assert request.job_name == "backfill_signals"
    assert request.run_key == f"resume-signals-{run.run_id}"
    assert request.tags == {"lcw/for": "gaps", "lcw/credits": "12", **FEBRUARY}
    assert request.run_config["ops"] == {
        "signals": {"config": {"refresh": True, "coins": "BTC", "refreshed_since": record.create_timestamp.isoformat()}}
    }
    assert list(resumed(instance, ["signals"], (), record.update_timestamp + 15 * DAY)) == []


def test_a_sensor_is_on_from_the_start_and_says_that_nothing_waits(instance: dg.DagsterInstance) -> None:
    job = backfill_job("signals", "toy/signals", {})
    sensor: Any = resume_sensor([job], ["signals"], (), KUCOIN)
    assert sensor.name == "resume_backfills"
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    skipped = sensor(dg.build_sensor_context(instance))
    assert skipped.skip_message == "no backfill waits for credits"
    instance.add_run(
        dg.DagsterRun(
            job_name="backfill_signals",
            tags={"lcw/stopped-signals": "credits", **FEBRUARY},
            status=dg.DagsterRunStatus.SUCCESS,
        )
    )
    [record] = instance.get_run_records()
    assert len(list(resumed(instance, ["signals"], (), record.update_timestamp + DAY))) == 1


def test_what_sensors_started_today_is_spent(instance: dg.DagsterInstance) -> None:
    now = datetime.now(timezone.utc)
    days = "2026-02-01", "2026-02-03"
    request = fill_request("signals", {"begins": True}, days, purpose="gaps", credits_=40, now=now)
    assert request.run_key == f"signals 2026-02-01 2026-02-03, on {now:%Y-%m-%d}"
    assert {**request.tags}.items() >= FEBRUARY.items()
    instance.add_run(dg.DagsterRun(job_name="backfill_signals", tags=dict(request.tags)))
    [record] = instance.get_run_records()
    instance.add_run(dg.DagsterRun(job_name="backfill_signals", tags={**request.tags, "lcw/for": "another purpose"}))
    assert spent_today(instance, "gaps", record.create_timestamp) == (40, {("signals", *days)})
    assert spent_today(instance, "gaps", record.create_timestamp + DAY) == (0, set())


@pytest.mark.parametrize(("every_s", "observed"), [(-1.0, [1, 2]), (60.0, [])])
def test_numbers_of_a_run_are_observations_of_its_asset_now_and_then(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, every_s: float, observed: list[int]
) -> None:
    monkeypatch.setattr("lcw_assets.orchestration.backfills._OBSERVED_EVERY_S", every_s)

    @dg.asset
    def slow(context) -> None:  # type: ignore[no-untyped-def]
        report = Report(context)
        for number in (1, 2):
            report.observe(lambda: {"calls_done": number})  # noqa: B023 - read at once

    dg.materialize([slow], instance=instance)
    records = instance.fetch_observations(dg.AssetKey("slow"), limit=10).records
    found = [record.asset_observation.metadata["calls_done"].value for record in records if record.asset_observation]
    assert sorted(found, key=str) == observed
