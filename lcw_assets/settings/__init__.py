"""Every environment variable, typed, with its default and one line of meaning. Nothing else reads the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator

from lcw_assets.settings.addresses import HttpAddress, ShownAddress, key_fault, shown
from lcw_assets.settings.environment import Environment, apply_dotenv, variables
from lcw_assets.settings.user_files import UserFileError


class SettingsError(ValueError):
    """A setting is out of range. The text names every such variable, its value and what is allowed."""


class DataSettings(Environment):
    """Where the data is and who is told of it: all that its readers need. Takes any value, so that nothing can fail."""

    api_key: SecretStr | None = Field(
        None, alias="LCW_API_KEY", description="Live Coin Watch API key; without one the simulator serves"
    )
    data_dir: Path = Field(
        Path("data"), alias="LCW_DATA_DIR", description="folder for the database, the spool and backups"
    )
    read_group: str | None = Field(None, alias="LCW_READ_GROUP", description="group that may read the data folder too")
    sla_file: Path | None = Field(
        None,
        alias="LCW_SLA_FILE",
        description="what is fast enough, in a changed copy of lcw_assets/defs/monitoring/sla.toml",
    )
    alert_urls: SecretStr | None = Field(
        None,
        alias="LCW_ALERT_URLS",
        description="who is told, as addresses that apprise knows, with spaces between them",
    )
    ui_url: ShownAddress = Field(
        "http://127.0.0.1:3000", alias="LCW_UI_URL", description="where alerts link to: the address of Dagster's UI"
    )

    @field_validator("api_key", "alert_urls", mode="before")
    @classmethod
    def _no_blanks(cls, value: Any) -> Any:
        return value.strip() or None if isinstance(value, str) else value

    @field_validator("data_dir", "sla_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser().absolute() if value else None
        except RuntimeError as error:  # there is no such home folder
            raise ValueError(str(error)) from None

    @property
    def simulated(self) -> bool:
        """Is this demo data? It is whenever there is no key, whoever answers."""
        return self.api_key is None

    @property
    def source(self) -> str:
        """Who answers, in `ops.cycles`, `raw.pulls` and every materialization."""
        return "simulator" if self.simulated else "lcw"

    @property
    def registry_source(self) -> str:
        """Who answers the token registry. Never that of `source`: what cycles learn from their calls is theirs."""
        return "kucoin-simulator" if self.simulated else "kucoin"

    @property
    def registry_spool_dir(self) -> Path:
        return self.data_dir / "spool" / self.registry_source

    @property
    def database(self) -> Path:
        """Demo data has a file of its own: the two can never mix."""
        return self.data_dir / ("demo.duckdb" if self.simulated else "lcw.duckdb")

    @property
    def alerts_dir(self) -> Path:
        """Alerts on their way into `database` and to whoever is told."""
        return self.data_dir / "spool" / f"{self.source}-alerts"

    @property
    def report_file(self) -> Path:
        return self.data_dir / "reports" / "performance.html"

    @property
    def spool_dir(self) -> Path:
        """Answers on their way into `database`; one folder for each source, for the same reason."""
        return self.data_dir / "spool" / self.source


class Settings(DataSettings):
    """Everything. An empty variable counts as not set."""

    base_url: HttpAddress | None = Field(
        None, alias="LCW_BASE_URL", description="another address for the API, such as a simulator that runs alone"
    )
    currency: str = Field("USD", alias="LCW_CURRENCY", description="fiat or coin code that rates and volumes are in")
    coins: int = Field(1000, alias="LCW_COINS", ge=1, le=50_000, description="how many coins a cycle pulls, by rank")
    exchanges: int = Field(
        100, alias="LCW_EXCHANGES", ge=1, le=5_000, description="how many exchanges a cycle pulls, by volume"
    )
    max_in_flight: int = Field(
        8,
        alias="LCW_MAX_IN_FLIGHT",
        ge=1,
        le=20,
        description="API calls at once at most; 20 draw 429 from LCW",
    )
    calls_per_s: float = Field(
        5.0, alias="LCW_CALLS_PER_S", ge=0.1, le=100, description="API calls a second in the long run, of all processes"
    )
    burst: int = Field(
        16, alias="LCW_BURST", ge=1, le=1000, description="API calls that may come at once after a pause"
    )
    hedging: bool = Field(
        True, alias="LCW_HEDGING", description="send a second request where an answer takes longer than 19 in 20 do"
    )
    adaptive_timeouts: bool = Field(
        True, alias="LCW_ADAPTIVE_TIMEOUTS", description="time-outs from how long the calls of the last two hours took"
    )
    adaptive_concurrency: bool = Field(
        True,
        alias="LCW_ADAPTIVE_CONCURRENCY",
        description="one more call at once after a good cycle, half after a 429",
    )
    breaker: bool = Field(
        True, alias="LCW_BREAKER", description="after three cycles without any answer, ask only now and then"
    )
    cycle_deadline_s: float = Field(
        45.0, alias="LCW_CYCLE_DEADLINE_S", ge=5, le=55, description="seconds from the tick until a cycle stops asking"
    )
    tracked_coins: str = Field(
        "top:100",
        alias="LCW_TRACKED_COINS",
        description="coins whose history is kept: codes (BTC,ETH), the largest (top:100), or a file (file:coins.txt)",
    )
    credit_reserve: int = Field(
        2000,
        alias="LCW_CREDIT_RESERVE",
        ge=0,
        le=10_000_000,
        description="credits that a backfill leaves for the cycles of the day: at so many it stops until 00:00 UTC",
    )
    gap_credits: int = Field(
        1000,
        alias="LCW_GAP_CREDITS",
        ge=0,
        le=10_000_000,
        description="credits a day for filling gaps in history without being asked; 0 fills none",
    )
    kucoin_base_url: HttpAddress | None = Field(
        None,
        alias="KUCOIN_FUTURES_BASE_URL",
        description="another address for KuCoin's futures API, such as a simulator that runs alone",
    )
    registry_new_hours: float = Field(
        24.0, alias="LCW_REGISTRY_NEW_HOURS", ge=0, le=8760, description="hours that a listed contract counts as new"
    )
    registry_max_delisted_share: float = Field(
        0.05,
        alias="LCW_REGISTRY_MAX_DELISTED_SHARE",
        ge=0,
        le=1,
        description="an answer that lacks a larger share of the contracts than this",
    )
    registry_max_delisted_count: int = Field(
        3,
        alias="LCW_REGISTRY_MAX_DELISTED_COUNT",
        ge=0,
        le=100_000,
        description="and more contracts than this must be confirmed by the next one",
    )

    @property
    def history_source(self) -> str:
        """Who answers a backfill: its facts say nothing of how cycles fare."""
        return f"{self.source}-history"

    @property
    def history_lock_file(self) -> Path:
        """Held by the one backfill that runs."""
        return self.data_dir / "limits" / self.history_source

    @property
    def credits_file(self) -> Path:
        """How many credits a backfill saw last."""
        return self.data_dir / "limits" / f"{self.source}-credits"

    @property
    def history_spool_dir(self) -> Path:
        return self.data_dir / "spool" / self.history_source

    @property
    def rate_limit_file(self) -> Path:
        """Shared by every process that asks this source."""
        return self.data_dir / "limits" / self.source

    @property
    def registry_rate_limit_file(self) -> Path:
        return self.data_dir / "limits" / self.registry_source

    @field_validator("api_key")
    @classmethod
    def _a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value and (fault := key_fault(value.get_secret_value())):
            raise ValueError(fault)
        return value

    @field_validator("currency")
    @classmethod
    def _code(cls, value: str) -> str:
        if len(value) > 64 or value.split() != [value]:
            raise ValueError("it must be a code such as USD, EUR or BTC")
        return value


def load_settings(**given: Any) -> Settings:
    """The settings from the environment; `given` (by variable name) wins over it. Raises `SettingsError`."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError("; ".join(_say(problem, given) for problem in error.errors())) from None


def load_dotenv_settings() -> Settings:
    """The same with a `.env` of the current folder on top, as every `dagster` command has it."""
    try:
        apply_dotenv()
    except UserFileError as error:
        raise SettingsError(str(error)) from None
    return load_settings()


_VARIABLES = {str(field.alias): field for field in Settings.model_fields.values()}


def _say(problem: Any, given: dict[str, Any]) -> str:
    """`LCW_COINS=0 is out of range: 1 to 50000`. Never the value of a secret."""
    variable = str(problem["loc"][0])
    field = _VARIABLES[variable]
    raw = str(given.get(variable, variables().get(variable, "")))
    value = "" if variable in ("LCW_API_KEY", "LCW_ALERT_URLS") else "=" + shown(raw)
    bounds = {kind: getattr(item, kind) for item in field.metadata for kind in ("ge", "le") if hasattr(item, kind)}
    if bounds:
        return f"{variable}{value} is out of range: it must be a number from {bounds['ge']} to {bounds['le']}"
    reason = str(problem.get("ctx", {}).get("error", problem["msg"]))
    return f"{variable}{value}: {reason}"
