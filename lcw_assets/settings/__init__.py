"""Every environment variable, typed, with its default and one line of meaning. Nothing else reads the environment.

Each concept has a section in a file of its own; those of a source follow from its declaration (`sources.py`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from lcw_assets.settings.data import DataSettings
from lcw_assets.settings.environment import Environment, SettingsError, apply_dotenv
from lcw_assets.settings.history import HistorySettings
from lcw_assets.settings.market import MarketSettings
from lcw_assets.settings.prices import PricesSettings
from lcw_assets.settings.registry import RegistrySettings
from lcw_assets.settings.sources import variables_of
from lcw_assets.settings.user_files import UserFileError
from lcw_assets.sources.spec import Source, discover

__all__ = ["DataSettings", "Settings", "SettingsError", "load_dotenv_settings", "load_settings"]


class Settings(DataSettings, MarketSettings, HistorySettings, RegistrySettings, PricesSettings):
    """All settings. An empty variable counts as not set."""


def load_settings(*sources: Source, **given: Any) -> Settings:
    """The settings from the environment; `given` (by variable name) wins over it.

    Raises `SettingsError` that names every wrong variable, also those of these `sources`, or of all. A key is not
    needed in demo mode, and not looked at.
    """
    faults, simulated = [], False
    with suppress(SettingsError):  # which `Settings` raises as well
        simulated = DataSettings(**given).simulated
    models: list[tuple[type[Environment], dict[str, Any]]] = [(Settings, given)]
    for source in sources or discover().values():
        models.append((variables_of(source), given | ({f"{source.variables}_API_KEY": None} if simulated else {})))
    for model, values in models:
        try:
            model(**values)
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise SettingsError("; ".join(faults))
    return Settings(**given)


def load_dotenv_settings() -> Settings:
    """The same with the `.env` of the current folder applied first, as in every `dagster` command."""
    try:
        apply_dotenv()
    except UserFileError as error:
        raise SettingsError(str(error)) from None
    return load_settings()
