"""The resources of jobs: the database, and an IO manager. Made when a run needs them."""

import dagster as dg

from lcw_assets.orchestration.guard import max_runtime_s
from lcw_assets.settings import DataSettings, SettingsError


# Without a schema of its own, a resource takes any configuration; and Dagster's own IO manager takes a path. Users
# who may launch runs in the UI must not choose where files are.
@dg.resource({}, description="DuckDB: `with warehouse.get_connection() as db: ...`")
def warehouse(context: dg.InitResourceContext) -> object:
    """Made when a run needs it: DuckDB takes longer to import than all of the definitions."""
    from lcw_assets.orchestration.warehouse import WarehouseResource

    log = context.log.warning if context.log else lambda _line: None
    try:
        file, fault = str(DataSettings().database), ""
    except SettingsError as error:  # not raised here: the step that opens the database reports it in one line
        file, fault = "", str(error)
    return WarehouseResource(database=file).within_run(log, max_runtime_s(context.run), fault)


@dg.io_manager({}, description="Dagster's own, for assets that hand values to each other.")
def io_manager(context: dg.InitResourceContext) -> dg.IOManager:
    return dg.FilesystemIOManager().create_io_manager(context)


def resources() -> dict[str, object]:
    return {
        "warehouse": warehouse,
        "io_manager": io_manager,
    }
