"""What we expect of Dagster's private modules. When one of these fails, a new Dagster has changed what we use."""

from __future__ import annotations

import inspect

import dagster as dg
import pytest

from lcw_assets.orchestration import dagster_private as private


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("RANGE_START_TAG", "dagster/asset_partition_range_start"),
        ("RANGE_END_TAG", "dagster/asset_partition_range_end"),
        ("BACKFILL_ID_TAG", "dagster/backfill"),
        ("MAX_RUNTIME_SECONDS_TAG", "dagster/max_runtime"),
        ("WILL_RETRY_TAG", "dagster/will_retry"),
    ],
)
def test_tags_are_those_that_the_documentation_names(name: str, words: str) -> None:
    assert getattr(private, name) == words


@pytest.mark.parametrize(
    ("enum", "members"),
    [
        (private.BulkActionStatus, {"REQUESTED", "COMPLETED", "COMPLETED_FAILED"}),
        (private.TickStatus, {"SKIPPED", "FAILURE"}),
        (private.InstigatorType, {"SCHEDULE", "SENSOR"}),
        (private.AssetCheckExecutionRecordStatus, {"PLANNED", "FAILED"}),
    ],
)
def test_states_have_the_members_that_we_read(enum: type, members: set[str]) -> None:
    assert members <= set(dir(enum))


def test_a_backfill_can_be_changed_and_stored() -> None:
    assert {"status", "backfill_end_timestamp"} <= set(inspect.signature(private.PartitionBackfill).parameters)
    assert callable(private.PartitionBackfill._replace)
    assert callable(dg.DagsterInstance.update_backfill)


def test_an_evaluation_names_its_materialization() -> None:
    one = private.AssetCheckEvaluationTargetMaterializationData(storage_id=1, run_id="a", timestamp=2.0)
    assert (one.storage_id, one.run_id, one.timestamp) == (1, "a", 2.0)


def test_whether_this_is_dagster_dev_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not private.using_dagster_dev()
    monkeypatch.setenv("DAGSTER_IS_DEV_CLI", "1")
    assert private.using_dagster_dev()


def test_the_launcher_of_an_instance_is_the_one_that_we_know() -> None:
    with dg.DagsterInstance.local_temp() as instance:
        assert isinstance(instance.run_launcher, private.DefaultRunLauncher)
