"""Bars and checkpoints: what is built from ticks."""

from functools import partial
from typing import Any

import dagster as dg

from lcw_assets.orchestration.database import database
from lcw_assets.orchestration.table import derived_spec


@dg.multi_asset(
    name="coin_bars",
    specs=[
        derived_spec(
            "market/coin_bars",
            "Open, high, low, close of 1, 5, 60 minutes and a day, built from ticks as they come. A bar opens at the "
            "price in force as it begins; where no tick was, there is none. With it, `market.as_of(moment)`: the whole "
            "market as it was.",
            "market/coin_ticks",
        )
    ],
    required_resource_keys={"warehouse"},
)
def coin_bars(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    from lcw_assets.defs.market.bars import build

    built = build(partial(database, context))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": built.bars,
            "built_since": built.since.isoformat() if built.since else "there is no tick yet",
            "new_checkpoints": built.checkpoints,
        }
    )
