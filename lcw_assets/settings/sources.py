"""The settings of one source: from its declaration, the mode, and its environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, create_model

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.settings.addresses import HttpAddress, key_fault
from lcw_assets.settings.environment import Environment, no_blanks, variables
from lcw_assets.sources.spec import Group, Source

# As the sources of a group: none of them is called.
NOBODY = "none"


@dataclass(frozen=True)
class GroupSettings:
    """What a load of one source or of a group needs: the name of its rows and facts in this mode, and its place."""

    source: Source | Group
    data_dir: Path
    simulated: bool

    @property
    def name(self) -> str:
        """The `source` of its rows and facts, in this mode."""
        return self.source.demo_name if self.simulated else self.source.name

    @property
    def spool_dir(self) -> Path:
        """Responses that wait for the database; one folder for each mode, so that the two never mix."""
        return self.data_dir / "spool" / self.name

    @property
    def off(self) -> str | None:
        """Why it may not be called, in one line; null if it may."""
        variable = f"{self.source.name.upper()}_SOURCES"
        off = (no_blanks(variables().get(variable)) or "").lower() == NOBODY
        return f"{self.source.name} are off: {variable}={NOBODY}" if off else None


@dataclass(frozen=True)
class SourceSettings(GroupSettings):
    """Names and places never fail; `base_url`, `key` and `rate` raise `SettingsError` where a variable is wrong.

    `given` are variables that win over the environment.
    """

    source: Source
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def rate_limit_file(self) -> Path:
        """Shared by every process that calls this source."""
        return self.data_dir / "limits" / self.name

    @property
    def history_name(self) -> str:
        """The `source` in facts of a backfill, which do not describe the loads of every minute."""
        return f"{self.name}-history"

    @property
    def history_spool_dir(self) -> Path:
        return self.data_dir / "spool" / self.history_name

    @property
    def history_lock_file(self) -> Path:
        """Locked by the running backfill."""
        return self.data_dir / "limits" / self.history_name

    @property
    def credits_file(self) -> Path:
        """The last number of credits that a backfill saw."""
        return self.data_dir / "limits" / f"{self.name}-credits"

    @property
    def off(self) -> str | None:
        """Why it may not be called, in one line; null if it may."""
        variable = f"{self.source.variables}_API_KEY"
        key = self.given.get(variable, variables().get(variable, ""))
        if self.simulated or not self.source.needs_key or no_blanks(key):
            return None
        return (
            f"{self.source.title} is off: {variable} is not set, and in live mode nothing is simulated: set it, or "
            "LCW_MODE=demo"
        )

    @property
    def base_url(self) -> str | None:
        """Another address than the source's own or, in demo mode, the embedded simulator's."""
        address: str | None = self._variables.base_url
        return address

    @property
    def key(self) -> SecretStr | None:
        """Null in demo mode, whatever is set: a simulator needs none, and a key that is not sent cannot leak."""
        return self._variables.api_key if self.source.needs_key and not self.simulated else None

    @property
    def rate(self) -> Rate:
        """The same part of it is a reserve, however large it is set."""
        declared = self.source.rate
        if not self.source.adjustable_rate:
            return declared
        burst: int = self._variables.burst
        return Rate(self._variables.calls_per_s, burst, burst * declared.reserve // declared.burst)

    @cached_property
    def _variables(self) -> Any:
        return variables_of(self.source)(**self.given)


def variables_of(source: Source) -> type[Environment]:
    """Its environment variables, as a model that follows from its declaration."""
    return _variables_of(
        source.variables, source.title, source.key_hint, source.rate, source.needs_key, source.adjustable_rate
    )


@lru_cache(maxsize=64)
def _variables_of(
    prefix: str, title: str, key_hint: str, rate: Rate, needs_key: bool, adjustable_rate: bool
) -> type[Environment]:
    """Made once a process: it takes a millisecond, and a round of prices needs seven."""
    fields: dict[str, Any] = {
        "base_url": (
            HttpAddress | None,
            Field(
                None,
                alias=f"{prefix}_BASE_URL",
                description=f"another address for {title}, such as a simulator that runs alone",
            ),
        )
    }
    if needs_key:

        def checked(key: SecretStr | None) -> SecretStr | None:
            if key and (fault := key_fault(key.get_secret_value(), title, key_hint)):
                raise ValueError(fault)
            return key

        kind = Annotated[SecretStr | None, BeforeValidator(no_blanks), AfterValidator(checked)]
        fields["api_key"] = kind, Field(None, alias=f"{prefix}_API_KEY", description=f"{title} API key")
    if adjustable_rate:
        per_s, burst = rate.per_s, rate.burst  # within the bounds, however high they are declared
        calls = "API calls a second in the long run, of all processes"
        at_once = "API calls that may come at once after a pause"
        fields["calls_per_s"] = (
            float,
            Field(per_s, alias=f"{prefix}_CALLS_PER_S", ge=min(0.1, per_s), le=max(100, per_s), description=calls),
        )
        fields["burst"] = int, Field(burst, alias=f"{prefix}_BURST", ge=1, le=max(1000, burst), description=at_once)
    return create_model("SourceVariables", __base__=Environment, **fields)
