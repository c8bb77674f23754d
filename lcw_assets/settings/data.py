"""Where the data is, whether it is real, and who gets alerts: what readers of the data need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from pydantic import Field, PrivateAttr, SecretStr, field_validator

from lcw_assets.settings.addresses import ShownAddress
from lcw_assets.settings.environment import Environment, no_blanks
from lcw_assets.settings.sources import GroupSettings, SourceSettings
from lcw_assets.sources.spec import Group, Source, loaded_together


class DataSettings(Environment):
    """Only the mode and a path can be wrong here: readers of data do not fail for other settings."""

    mode: str | None = Field(
        None,
        alias="LCW_MODE",
        description="demo or live: whether all data is simulated; unset, it is live exactly when LCW_API_KEY is set",
    )
    # Here it only decides the mode. A client's key is that of its `SourceSettings`.
    api_key: SecretStr | None = Field(
        None,
        alias="LCW_API_KEY",
        description="Live Coin Watch API key; without one the simulator serves",
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

    _given: dict[str, Any] = PrivateAttr()

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._given = given

    @field_validator("mode", "api_key", "alert_urls", mode="before")
    @classmethod
    def _no_blanks(cls, value: Any) -> Any:
        return no_blanks(value)

    @field_validator("mode")
    @classmethod
    def _a_mode(cls, value: str | None) -> str | None:
        if value not in (None, "demo", "live"):
            raise ValueError("it must be demo or live, or not set: then it is live exactly when LCW_API_KEY is set")
        return value

    @field_validator("data_dir", "sla_file")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        try:
            return value.expanduser().absolute() if value else None
        except RuntimeError as error:  # there is no such home folder
            raise ValueError(str(error)) from None

    @property
    def simulated(self) -> bool:
        """Is all of it demo data?"""
        return self.mode == "demo" if self.mode else self.api_key is None

    @property
    def database(self) -> Path:
        """Demo data has a file of its own: real and demo data never mix."""
        return self.data_dir / ("demo.duckdb" if self.simulated else "lcw.duckdb")

    @property
    def alerts_dir(self) -> Path:
        """Alerts on their way into `database` and to the channels."""
        return self.data_dir / "spool" / ("simulator-alerts" if self.simulated else "lcw-alerts")

    @property
    def report_file(self) -> Path:
        return self.data_dir / "reports" / "performance.html"

    @overload
    def of(self, source: Source) -> SourceSettings: ...
    @overload
    def of(self, source: Source | Group) -> GroupSettings: ...
    def of(self, source: Source | Group) -> GroupSettings:
        """The settings of a source, or of a group that one load calls together."""
        if isinstance(source, Group):
            return GroupSettings(source, self.data_dir, self.simulated)
        return SourceSettings(source, self.data_dir, self.simulated, self._given)

    def spool_folders(self) -> Sequence[Path]:
        """Where the loads of every source or group wait, in this mode."""
        return [self.of(one).spool_dir for one in loaded_together()]
