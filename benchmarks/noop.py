"""The floor: a Dagster job with as many assets in one step as `fetch_cycle`, and nothing in it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

RAW = [f"raw/{number}" for number in range(5)]
STORED = [f"stored/{number}" for number in range(7)]


@dg.multi_asset(
    name="nothing",
    specs=[
        *(dg.AssetSpec(key.split("/")) for key in RAW),
        *(dg.AssetSpec(key.split("/"), deps=[raw.split("/") for raw in RAW]) for key in STORED),
    ],
)
def step() -> Iterator[dg.MaterializeResult[Any]]:
    for key in (*RAW, *STORED):
        yield dg.MaterializeResult(asset_key=key.split("/"))


defs = dg.Definitions(assets=[step], jobs=[dg.define_asset_job("noop", executor_def=dg.in_process_executor)])
