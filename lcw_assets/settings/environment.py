"""The environment, and the `.env` file that is applied to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from lcw_assets.settings.addresses import shown
from lcw_assets.settings.user_files import UserFileError, read_dotenv

_DOTENV = Path(".env")


class SettingsError(ValueError):
    """A setting is out of range. The text names every such variable, its value and what is allowed."""


class Environment(BaseSettings):
    """Settings from the environment; a value given by a variable's name wins. An empty variable counts as not set.

    Raises `SettingsError`.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            faults = [_fault(type(self), problem, given) for problem in error.errors()]
            raise SettingsError("; ".join(faults)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = {name.lower(): value for name, value in variables().items() if value}
        return init_settings, env_settings


def _fault(model: type[Environment], problem: Any, given: dict[str, Any]) -> str:
    """`LCW_COINS=0 is out of range: 1 to 50000`. Never the value of a secret."""
    variable = str(problem["loc"][0])
    field = next(field for field in model.model_fields.values() if field.alias == variable)
    raw = str(given.get(variable, variables().get(variable, "")))
    value = "" if SecretStr in (field.annotation, *get_args(field.annotation)) else "=" + shown(raw)
    bounds = {kind: getattr(item, kind) for item in field.metadata for kind in ("ge", "le") if hasattr(item, kind)}
    if bounds:
        return f"{variable}{value} is out of range: it must be a number from {bounds['ge']} to {bounds['le']}"
    reason = str(problem.get("ctx", {}).get("error", problem["msg"]))
    return f"{variable}{value}: {reason}"


def no_blanks(value: Any) -> Any:
    """Text without blanks around it; null if there is none."""
    return value.strip() or None if isinstance(value, str) else value


def apply_dotenv() -> None:
    """Apply `.env` to the environment, as Dagster does in every command before it loads our code.

    So `.env` wins over the shell, line by line, and an empty value wins as well. No other rule would be the same in
    every command, because Dagster overwrites what the shell exported. Raises `UserFileError`.
    """
    os.environ.update(read_dotenv(_DOTENV))


def hidden_by_dotenv() -> list[str]:
    """A message for each variable that `.env` sets to nothing: the value that the shell exports does not count."""
    try:
        empty = [name for name, value in read_dotenv(_DOTENV).items() if not value.strip()]
    except UserFileError:
        return []  # Dagster or `apply_dotenv` has ended the command by now
    return [
        f".env sets {name} to nothing, and .env wins over the shell: an exported {name} does not count. "
        "Delete that line, or give it a value"
        for name in empty
        if not os.environ.get(name)
    ]


def ca_bundle() -> tuple[str, str] | None:
    """The certificates that TLS trusts instead of certifi's: the variable that is set, and its path.

    `requests` reads both, in this order, but only together with the proxies and ~/.netrc.
    """
    names, given = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), variables()
    return next(((name, path) for name in names if (path := given.get(name))), None)


def variables() -> dict[str, str]:
    """The environment. Dagster keeps the byte order mark in the first name of a `.env`, and the Ctrl-Z in its last
    value, which some editors write.
    """
    marked = {name[1:]: value for name, value in os.environ.items() if name.startswith("\ufeff")}
    return {name: value.rstrip("\x1a") for name, value in {**os.environ, **marked}.items()}
