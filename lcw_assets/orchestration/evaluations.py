"""Check results of a step that is about to fail. Without them the checks of the last good run would stay.

A step that raises loses its return value, and Dagster accepts no check result for an asset of another step. Events that
were yielded before stay, for any asset.
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from lcw_assets.orchestration.dagster_private import AssetCheckEvaluationTargetMaterializationData


def evaluations(
    context: dg.AssetExecutionContext, results: Iterable[dg.AssetCheckResult]
) -> Iterator[dg.AssetCheckEvaluation]:
    """Each result, as one of the latest materialization of its asset. Assets that this run was not for are left out."""
    for result in results:
        if result.asset_key is None or result.check_name is None or not is_selected(context, result.asset_key):
            continue
        yield dg.AssetCheckEvaluation(
            asset_key=result.asset_key,
            check_name=result.check_name,
            passed=result.passed,
            severity=result.severity,
            description=result.description,
            metadata=result.metadata,
            target_materialization_data=_latest(context.instance, result.asset_key),
        )


def is_selected(context: dg.AssetExecutionContext, key: dg.AssetKey) -> bool:
    """Is this run for that asset, in any step?"""
    return key in set(context.job_def.asset_layer.executable_asset_keys)


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey) -> AssetCheckEvaluationTargetMaterializationData | None:
    for record in instance.fetch_materializations(key, limit=1).records:
        return AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
    return None
