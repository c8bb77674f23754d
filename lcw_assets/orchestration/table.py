"""Assets that are tables, with the descriptions and metadata that the UI shows."""

import sys
import warnings
from datetime import timedelta
from pathlib import Path

import dagster as dg

from lcw_assets import __version__
from lcw_assets.warehouse.schema import tables

# A file and a line of it.
Place = tuple[str, int]

OWNERS = ["team:lcw-assets"]

# How often derived tables are built: the job `derive`.
_DERIVED_EVERY = timedelta(minutes=10)


def table_spec(
    key: str,
    description: str,
    *deps: str,
    freshness: dg.FreshnessPolicy | None = None,
    table: str | None = None,
    skippable: bool = False,
    partitions_def: dg.PartitionsDefinition[str] | None = None,
    place: Place | None = None,
) -> dg.AssetSpec:
    """An asset that is a table. Its key is the table's address unless `table` says otherwise.

    `place` is where it is declared, which the UI links to: the caller's line if it is null.
    """
    file, line = place or _caller()
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
        tags={"lcw/concept": Path(file).parent.name},
        code_version=__version__,
        freshness_policy=freshness,
        skippable=skippable,
        partitions_def=partitions_def,
        metadata={
            "dagster/table_name": address,
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/code_references": _reference(file, line),
        },
    )


def derived_spec(key: str, description: str, *deps: str) -> dg.AssetSpec:
    freshness = dg.FreshnessPolicy.time_window(fail_window=6 * _DERIVED_EVERY, warn_window=3 * _DERIVED_EVERY)
    return table_spec(key, description, *deps, freshness=freshness)


def _caller() -> Place:
    caller = sys._getframe(2)  # noqa: SLF001 - inspect.stack() reads the sources of all frames
    while caller.f_code.co_filename == __file__ and caller.f_back:
        caller = caller.f_back
    return caller.f_code.co_filename, caller.f_lineno


def _reference(file: str, line: int) -> dg.CodeReferencesMetadataValue:
    """(`dg.with_source_code_references` links to a function, and reads its source for that: 15 ms of every process.)"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(
            code_references=[dg.LocalFileCodeReference(file_path=file, line_number=line)]
        )
