"""Binance, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="binance",
    title="Binance",
    variables="BINANCE",
    # The host for public data: it refuses no country.
    base_url="https://data-api.binance.vision",
    needs_key=False,
    # 2,400 of the weight of 6,000 a minute that Binance allows, if every call is for all markets.
    rate=Rate(per_s=0.5, burst=4),
    # All markets are some 1.6 MB: ten times that.
    largest_body=16_000_000,
    simulator="binance",
    client="lcw_assets.sources.binance.client:Binance",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
