"""The token registry: what counts as new, and which response must be confirmed."""

from __future__ import annotations

from pydantic import Field

from lcw_assets.settings.environment import Environment


class RegistrySettings(Environment):
    registry_new_hours: float = Field(
        24.0, alias="LCW_REGISTRY_NEW_HOURS", ge=0, le=8760, description="hours that a listed contract counts as new"
    )
    registry_max_delisted_share: float = Field(
        0.05,
        alias="LCW_REGISTRY_MAX_DELISTED_SHARE",
        ge=0,
        le=1,
        description="a response that lacks a larger share of the contracts than this",
    )
    registry_max_delisted_count: int = Field(
        3,
        alias="LCW_REGISTRY_MAX_DELISTED_COUNT",
        ge=0,
        le=100_000,
        description="and more contracts than this must be confirmed by the next one",
    )
