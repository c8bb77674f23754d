"""The fetch cycle: how much it pulls, and how."""

from __future__ import annotations

from pydantic import Field, field_validator

from lcw_assets.settings.environment import Environment


class MarketSettings(Environment):
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
    hedging: bool = Field(
        True, alias="LCW_HEDGING", description="send a second request where a response takes longer than 19 in 20 do"
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
        True, alias="LCW_BREAKER", description="after three cycles without any response, ask only now and then"
    )
    cycle_deadline_s: float = Field(
        45.0, alias="LCW_CYCLE_DEADLINE_S", ge=5, le=55, description="seconds from the tick until a cycle stops asking"
    )

    @field_validator("currency")
    @classmethod
    def _code(cls, value: str) -> str:
        if len(value) > 64 or value.split() != [value]:
            raise ValueError("it must be a code such as USD, EUR or BTC")
        return value
