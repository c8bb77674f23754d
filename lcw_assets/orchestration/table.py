"""What every asset that is a table has, so that the UI explains itself."""

import sys
import warnings
from datetime import timedelta

import dagster as dg

from lcw_assets import __version__
from lcw_assets.warehouse.schema import tables

OWNERS = ["team:lcw-assets"]

# How often what is derived is built: the job `derive`.
_DERIVED_EVERY = timedelta(minutes=10)


def table_spec(
    key: str,
    description: str,
    *deps: str,
    freshness: dg.FreshnessPolicy | None = None,
    table: str | None = None,
    skippable: bool = False,
    partitions_def: dg.PartitionsDefinition[str] | None = None,
) -> dg.AssetSpec:
    """An asset that is a table. Its key is the table's address unless `table` says otherwise."""
    address = table or key.replace("/", ".")
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=not column.required),
        )
        for column in tables()[address]
    ]
    return dg.AssetSpec(
        key.split("/"),
        description=description,
        deps=[dep.split("/") for dep in deps],
        group_name=key.split("/")[0],
        owners=OWNERS,
        kinds={"duckdb", "table"},
        code_version=__version__,
        freshness_policy=freshness,
        skippable=skippable,
        partitions_def=partitions_def,
        metadata={
            "dagster/table_name": address,
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/code_references": _caller(),
        },
    )


def derived_spec(key: str, description: str, *deps: str) -> dg.AssetSpec:
    freshness = dg.FreshnessPolicy.time_window(fail_window=6 * _DERIVED_EVERY, warn_window=3 * _DERIVED_EVERY)
    return table_spec(key, description, *deps, freshness=freshness)


def _caller() -> dg.CodeReferencesMetadataValue:
    """The line that describes the asset, which the UI links to.

    (`dg.with_source_code_references` links to the function, and reads its source for that: 15 ms of every process.)
    """
    caller = sys._getframe(2)  # noqa: SLF001 - inspect.stack() reads the sources of all frames
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        line = dg.LocalFileCodeReference(file_path=caller.f_code.co_filename, line_number=caller.f_lineno)
        return dg.CodeReferencesMetadataValue(code_references=[line])
