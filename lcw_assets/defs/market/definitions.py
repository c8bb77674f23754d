"""The fetch cycle, and what is built from its ticks, as Dagster sees them."""

from functools import partial
from typing import Any

import dagster as dg

from lcw_assets.ingest.declaration import BY_HOOKS, Check, LoadDeclaration, Table
from lcw_assets.orchestration.database import database
from lcw_assets.orchestration.table import derived_spec
from lcw_assets.sources.lcw.spec import SOURCE

_LATEST = "latest values, one row a `(code, currency)`."
_CHANGES = "a row only where they differ from the ones before."

fetch_cycle = LoadDeclaration(
    job="fetch_cycle",
    step="cycle",
    schedule="fetch_cycle_every_minute",
    source=SOURCE,
    description="Pull everything from Live Coin Watch once, and store it.",
    hooks="lcw_assets.defs.market.load:CycleHooks",
    id_name="cycle_id",
    raw={
        "status": "Is the API up: the response of `status`, which costs no credit.",
        "credits": "The day's API credits: every call costs one, but for `status`.",
        "overview": "The whole market's cap, volume, liquidity and Bitcoin's share, as it came.",
        "coins": "The largest coins by rank, in pages of 100, as they came.",
        "exchanges": "The largest exchanges by volume, in pages of 100, as they came.",
    },
    tables=(
        Table(
            key="market/coins",
            description=f"Every coin's {_LATEST} A coin that has left the pages keeps its last ones: "
            "`market.current_coins` has those that are listed now.",
            deps=("raw/coins",),
            unique=("code", "currency"),
            not_negative=(
                "rank",
                "rate",
                "volume",
                "cap",
                "delta_hour",
                "delta_day",
                "circulating_supply",
                "total_supply",
                "max_supply",
            ),
            fresh_by="observed_at",
        ),
        Table(
            key="market/coin_ticks",
            description=f"Every change of a coin's values: {_CHANGES}",
            deps=("market/coins",),
        ),
        Table(
            key="market/exchanges",
            description=f"Every exchange's {_LATEST} `market.current_exchanges` has those that are listed now.",
            deps=("raw/exchanges",),
            unique=("code", "currency"),
            not_negative=("markets", "volume", "bid_total", "ask_total", "depth", "visitors"),
            fresh_by="observed_at",
        ),
        Table(
            key="market/exchange_ticks",
            description=f"Every change of an exchange's values: {_CHANGES}",
            deps=("market/exchanges",),
        ),
        Table(
            key="market/overview_ticks",
            description=f"Every change of the whole market's values: {_CHANGES}",
            deps=("raw/overview",),
            fresh_by=BY_HOOKS,
        ),
        Table(
            key="ops/calls",
            description="One row a request: endpoint, attempt, latency, bytes, outcome.",
            deps=("raw/status", "raw/credits", "raw/overview", "raw/coins", "raw/exchanges"),
        ),
    ),
    facts=Table(
        key="ops/cycles",
        description="One row a cycle: how long it took, where each second went, what was missing.",
        deps=("market/coins", "market/exchanges", "market/overview_ticks", "ops/calls"),
    ),
    checks=(
        Check("enough_for_today", "raw/credits", "At a cycle a minute, the credits last until 00:00 UTC."),
        Check("no_gap_or_repeat", "market/coins", "No rank fell between two pages, and no coin stood in two of them."),
    ),
    # It stops fetching at 55 s at most, and waits 5 s for the database.
    deadline_s="cycle_deadline_s",
    max_runtime_s=90,
    priority=10,  # where runs queue, as when other loads begin on the same tick: this one goes first
    stale_after_s=120,  # two cycles: one may fail, and the next is on its way
    load_time_s=None,  # these two are in the SLA
    failures_under=None,
    adapts=True,
    resources=True,
)


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
