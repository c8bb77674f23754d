"""A run's settings, and its data folder."""

from functools import cache

import dagster as dg

from lcw_assets.coordination.files import GroupError, prepare
from lcw_assets.settings import DataSettings, Settings, SettingsError, load_settings
from lcw_assets.settings.environment import hidden_by_dotenv
from lcw_assets.sources.spec import Group, Source


def run_settings(context: dg.AssetExecutionContext, source: Source | Group | None = None) -> Settings:
    """The settings, with the data folder prepared. A setting out of range fails the run in one line, and so does a
    `source` that is off.
    """
    _warn_of_hidden()
    sources = source.sources.values() if isinstance(source, Group) else [source] if source else []
    try:
        settings = load_settings(*sources)
        if source and (off := settings.of(source).off):
            raise dg.Failure(off, allow_retries=False)
        prepare(settings.data_dir, settings.read_group, context.log.warning)
    except (SettingsError, GroupError) as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    return settings


def data_settings() -> DataSettings:
    """For a step that calls no API: only a wrong mode or path fails it, in one line."""
    try:
        return DataSettings()
    except SettingsError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


@cache
def _warn_of_hidden() -> None:
    """Once a process: each step of a run reads the settings."""
    for line in hidden_by_dotenv():
        dg.get_dagster_logger().warning(line)
