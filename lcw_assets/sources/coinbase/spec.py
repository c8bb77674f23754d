"""Coinbase Exchange, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="coinbase",
    title="Coinbase Exchange",
    variables="COINBASE",
    base_url="https://api.exchange.coinbase.com",
    needs_key=False,
    # A fifth of what Coinbase allows.
    rate=Rate(per_s=2.0, burst=4),
    # All products are some 250 KB: twenty times that.
    largest_body=5_000_000,
    simulator="coinbase",
    client="lcw_assets.sources.coinbase.client:Coinbase",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
