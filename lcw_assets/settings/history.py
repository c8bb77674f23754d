"""Backfills: of which coins, and for how many credits."""

from __future__ import annotations

from pydantic import Field

from lcw_assets.settings.environment import Environment


class HistorySettings(Environment):
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
