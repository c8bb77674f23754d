"""The private parts of Dagster that we use, in one place: what breaks with a new version breaks here.

Each has its reason. `lcw_assets_tests/orchestration/test_dagster_private.py` tests what we expect of it.
"""

# A check's evaluation names the materialization that it is about; Dagster itself adds that only within a step's result.
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

# The return type of `dg.define_asset_job`.
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

# The state of a backfill in Dagster's own storage: `dagster job backfill` has no other way to say how it ended.
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

# A run that its launcher reports as dead is handled at once, and not after a time-out.
from dagster._core.launcher import DefaultRunLauncher

# Ticks that were skipped or failed, for the report, and schedules that are off, for alerts.
from dagster._core.scheduler.instigation import InstigatorType, TickStatus

# The latest evaluation of a check. The public API reads its whole history: 0.15 s after two months.
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

# Names of tags that are documented only as texts.
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG as RANGE_END_TAG
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG as RANGE_START_TAG
from dagster._core.storage.tags import BACKFILL_ID_TAG, MAX_RUNTIME_SECONDS_TAG, WILL_RETRY_TAG

# In `dagster dev` many processes share one terminal, which takes a line a cycle.
from dagster._utils.env import using_dagster_dev

__all__ = [
    "BACKFILL_ID_TAG",
    "MAX_RUNTIME_SECONDS_TAG",
    "RANGE_END_TAG",
    "RANGE_START_TAG",
    "WILL_RETRY_TAG",
    "AssetCheckEvaluationTargetMaterializationData",
    "AssetCheckExecutionRecordStatus",
    "BulkActionStatus",
    "DefaultRunLauncher",
    "InstigatorType",
    "PartitionBackfill",
    "TickStatus",
    "UnresolvedAssetJobDefinition",
    "using_dagster_dev",
]
