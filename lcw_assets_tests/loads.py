"""Loads without Dagster: their runner, and what it says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lcw_assets.ingest.declaration import LoadDeclaration
from lcw_assets.ingest.hooks import Hooks
from lcw_assets.ingest.runner import Runner
from lcw_assets.settings import Settings, load_settings
from lcw_assets.warehouse.connection import open_database


class Lines(list[str]):
    """What a load says, line by line."""

    def info(self, text: str) -> None:
        self.append(text)

    warning = result = info


def folder_settings(folder: Path, **given: str) -> Settings:
    return load_settings(LCW_DATA_DIR=str(folder), LCW_MODE="demo", **given)


def make_runner(declaration: LoadDeclaration, hooks: Hooks, settings: Settings, lines: Lines) -> Runner:
    return Runner(declaration, hooks, settings, partial(open_database, settings.database), lines)
