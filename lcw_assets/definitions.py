"""What Dagster loads: the declarations of each concept in `defs/`, and the policies that all of them share."""

import gc
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import dagster as dg

import lcw_assets.defs
from lcw_assets.ingest.declaration import LoadDeclaration
from lcw_assets.ingest.factory import load_definitions
from lcw_assets.ingest.step import ExtraChecks
from lcw_assets.orchestration.console import console_logger
from lcw_assets.orchestration.resources import resources
from lcw_assets.sources.spec import discover


def modules() -> Iterator[ModuleType]:
    """The `definitions.py` of each concept, and single modules of a user's own."""
    for path in sorted(Path(str(lcw_assets.defs.__file__)).parent.iterdir()):
        if (path / "definitions.py").is_file():
            yield import_module(f"lcw_assets.defs.{path.name}.definitions")
        elif path.suffix == ".py" and path.stem.isidentifier() and path.stem != "__init__":
            yield import_module(f"lcw_assets.defs.{path.stem}")


@dg.definitions
def defs() -> dg.Definitions:
    gc.freeze()
    discover()  # before any module that imports a declaration, so that a wrong one is reported in a line
    found = list(modules())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        loaded = dg.load_definitions_from_modules(found)
    values = [value for module in found for value in vars(module).values()]
    declared = [one for value in values for one in (value if type(value) in (list, tuple) else [value])]
    extra = [value for value in declared if isinstance(value, ExtraChecks)]
    return dg.Definitions.merge(
        loaded,
        *(load_definitions(value, extra) for value in declared if isinstance(value, LoadDeclaration)),
        dg.Definitions(resources=resources(), loggers={"console": console_logger}, executor=dg.in_process_executor),
    )
