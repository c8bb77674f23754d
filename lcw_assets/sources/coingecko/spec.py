"""CoinGecko, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="coingecko",
    title="CoinGecko",
    variables="COINGECKO",
    base_url="https://api.coingecko.com",
    needs_key=False,
    # A fifth of the 30 a minute that it allows with a demo key; without one it allows less.
    rate=Rate(per_s=0.1, burst=2),
    simulator="coingecko",
    client="lcw_assets.sources.coingecko.client:CoinGecko",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
