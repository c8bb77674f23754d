"""The floor: a Dagster job with as many assets in as many steps as `fetch_cycle`, and nothing in them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg


def _empty(name: str, keys: list[str], deps: list[str]) -> dg.AssetsDefinition:
    upstream = [dep.split("/") for dep in deps]

    @dg.multi_asset(name=name, specs=[dg.AssetSpec(key.split("/"), deps=upstream) for key in keys])
    def step() -> Iterator[dg.MaterializeResult[Any]]:
        for key in keys:
            yield dg.MaterializeResult(asset_key=key.split("/"))

    return step


RAW = [f"raw/{number}" for number in range(5)]
STORED = [f"stored/{number}" for number in range(7)]

defs = dg.Definitions(
    assets=[_empty("pull", RAW, []), _empty("store", STORED, RAW)],
    jobs=[dg.define_asset_job("noop", executor_def=dg.in_process_executor)],
)
