"""A load as its job stores it, less Dagster."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lcw_assets.defs.market.definitions import fetch_cycle
from lcw_assets.defs.market.load import CycleHooks
from lcw_assets.ingest.declaration import LoadDeclaration
from lcw_assets.ingest.hooks import Hooks
from lcw_assets.ingest.runner import Runner
from lcw_assets.settings import Settings, load_settings
from lcw_assets.warehouse.connection import open_database


class Quiet:
    """What a load says, to nobody."""

    def info(self, text: str) -> None: ...

    warning = result = info


def demo(folder: Path) -> Settings:
    """The settings of an installation in this folder, with simulated sources."""
    return load_settings(LCW_DATA_DIR=str(folder), LCW_MODE="demo")


def runner(declaration: LoadDeclaration, hooks: Hooks, database: Path | None = None) -> Runner:
    connect = partial(open_database, database or hooks.settings.database)
    return Runner(declaration, hooks, hooks.settings, connect, Quiet())


def cycles(folder: Path, database: Path | None = None) -> Runner:
    """That of fetch cycles; their database is the folder's unless given."""
    return runner(fetch_cycle, CycleHooks(demo(folder), Quiet()), database)
