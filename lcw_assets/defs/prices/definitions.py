"""Consensus prices, as Dagster sees them."""

from lcw_assets.ingest.declaration import Check, LoadDeclaration, Table
from lcw_assets.settings.prices import GROUP
from lcw_assets.sources.spec import group

_CONSENSUS, _HEALTH, _RATES = "prices/consensus", "prices/source_health", "prices/rates"
_NAMES = "instruments/names"

quote_prices = LoadDeclaration(
    job="quote_prices",
    step="prices",
    source=group(GROUP),
    description="Get the prices of all exchanges, each in one call, and find the price of each coin with its evidence.",
    hooks="lcw_assets.defs.prices.load:PricesHooks",
    raw={
        "tickers": "The tickers of every exchange, as they came.",
        "markets": "The lists of markets of every exchange, each once a day, as they came.",
    },
    tables=(
        Table(
            key="instruments/lists",
            description="When each exchange's list of markets was requested, and when it came.",
            deps=("raw/markets",),
            unique=("venue",),
        ),
        Table(
            key="instruments/markets",
            description="Every market on the latest list of each exchange, in its own names.",
            deps=("raw/markets",),
        ),
        Table(
            key=_NAMES,
            description="What the name of a coin means at an exchange. One INSERT corrects it: see docs/prices.md.",
            deps=("instruments/markets",),
        ),
        Table(
            key="prices/quotes",
            description="What each source said of each coin in each round: as it came, in USD, and what became of it.",
            deps=("raw/tickers", "instruments/markets", _NAMES),
        ),
        Table(
            key=_RATES,
            description="What converted USDT into USD in each round: measured by those who trade it, never assumed.",
            deps=("prices/quotes",),
        ),
        Table(
            key=_CONSENSUS,
            description="The consensus price of each coin with its evidence, or the reason why there is none: a row "
            "where something has changed.",
            deps=("prices/quotes", _RATES),
        ),
        Table(
            key="prices/latest",
            description="The latest consensus price of each coin; it stays, stale, while there is no newer one.",
            deps=(_CONSENSUS,),
            unique=("symbol",),
            fresh_by="priced_at",
        ),
        Table(
            key=_HEALTH,
            description="How well each source serves: healthy, degraded, out or probing, and why.",
            deps=("prices/quotes",),
            unique=("source",),
        ),
        Table(
            key="prices/lcw_deviation",
            description="Live Coin Watch's price of each coin against the consensus: deviation, age, since when.",
            deps=(_CONSENSUS, "market/coins"),
            unique=("symbol",),
        ),
    ),
    facts=Table(
        key="prices/source_loads",
        description="What each source did in each round: outcome, latency, votes, rejections, calls, bytes, cost.",
        deps=("prices/quotes",),
    ),
    checks=(
        Check("names_readable", _NAMES, "Every row that a user wrote can be read."),
        Check("quorum", _CONSENSUS, "Every coin has a price that enough sources agree on."),
        Check("spread", _CONSENSUS, "The sources of no coin are over 0.5 % apart."),
        Check("deviation", _CONSENSUS, "No source was left out because it is too far from the others."),
        Check("lcw_deviation", _CONSENSUS, "Live Coin Watch is within PRICES_LCW_DEVIATION of each consensus price."),
        Check("sources_out", _HEALTH, "No source is out."),
        Check("depeg", _RATES, "One USDT is within PRICES_DEPEG of one USD."),
    ),
    prepares=True,
    deadline_s="prices_deadline_s",
    max_runtime_s=60,
)
