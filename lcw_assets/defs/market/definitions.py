"""The fetch cycle and what is built from its ticks, as Dagster sees them."""

from lcw_assets.defs.market.assets import pull_step, store_step
from lcw_assets.defs.market.derived import coin_bars
from lcw_assets.defs.market.jobs import fetch_cycle
from lcw_assets.defs.market.schedules import fetch_cycle_every_minute

__all__ = ["coin_bars", "fetch_cycle", "fetch_cycle_every_minute", "pull_step", "store_step"]
