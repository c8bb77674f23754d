"""The token registry, as Dagster sees it."""

from lcw_assets.defs.registry.assets import sync_step
from lcw_assets.defs.registry.jobs import token_registry_sync
from lcw_assets.defs.registry.schedules import token_registry_sync_every_minute

__all__ = ["sync_step", "token_registry_sync", "token_registry_sync_every_minute"]
