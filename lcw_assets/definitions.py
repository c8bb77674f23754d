"""The one door that Dagster opens: what each concept declares in `defs/`, and the policies that all of it shares."""

import gc
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import dagster as dg

import lcw_assets.defs
from lcw_assets.orchestration.console import console_logger
from lcw_assets.orchestration.resources import resources
from lcw_assets.sources.spec import discover


def modules(package: ModuleType = lcw_assets.defs) -> Iterator[ModuleType]:
    """`definitions.py` and what stands beside it for Dagster, of each concept; and single modules of a user's own."""
    folder = Path(str(package.__file__)).parent
    for path in sorted(folder.iterdir()):
        if (path / "definitions.py").is_file():
            yield import_module(f"{package.__name__}.{path.name}.definitions")
        elif path.suffix == ".py" and path.stem != "__init__":
            yield import_module(f"{package.__name__}.{path.stem}")


@dg.definitions
def defs() -> dg.Definitions:
    gc.freeze()
    discover()  # before any module that imports a declaration: what is wrong with one is said in a line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.load_definitions_from_modules(
            list(modules()),
            resources=resources(),
            loggers={"console": console_logger},
            executor=dg.in_process_executor,
        )
