"""The one door that Dagster opens: whatever stands in `defs/`, and the policies that all of it shares."""

import gc
import warnings

import dagster as dg

import lcw_assets.defs
from lcw_assets.console import console_logger
from lcw_assets.defs.guard import max_runtime_s
from lcw_assets.resources.kucoin_futures import KuCoinFuturesResource
from lcw_assets.resources.live_coin_watch import LiveCoinWatchResource
from lcw_assets.settings import DataSettings


# Without a schema of its own, a resource takes any configuration; and Dagster's own IO manager takes a path. Who may
# launch runs in the UI is not thereby meant to choose where files are.
@dg.resource({}, description="DuckDB: `with warehouse.get_connection() as db: ...`")
def warehouse(context: dg.InitResourceContext) -> object:
    """Made when a run needs it: DuckDB takes longer to import than all of the definitions."""
    from lcw_assets.resources.warehouse import WarehouseResource

    log = context.log.warning if context.log else lambda _line: None
    return WarehouseResource(database=str(DataSettings().database)).within_run(log, max_runtime_s(context.run))


@dg.io_manager({}, description="Dagster's own, for assets that hand values to each other.")
def io_manager(context: dg.InitResourceContext) -> dg.IOManager:
    return dg.FilesystemIOManager().create_io_manager(context)


@dg.definitions
def defs() -> dg.Definitions:
    gc.freeze()
    with warnings.catch_warnings():
        # load_from_defs_folder does the same and costs each process 0.45 s more (measured: 3.35 against 3.8 s for a
        # no-op run). To be replaced by it once it is as fast.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.load_definitions_from_package_module(
            lcw_assets.defs,
            resources={
                "lcw": LiveCoinWatchResource(),
                "kucoin": KuCoinFuturesResource(),
                "warehouse": warehouse,
                "io_manager": io_manager,
            },
            loggers={"console": console_logger},
            executor=dg.in_process_executor,
        )
