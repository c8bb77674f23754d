"""Kraken, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="kraken",
    title="Kraken",
    variables="KRAKEN",
    base_url="https://api.kraken.com",
    needs_key=False,
    # Half of what Kraken allows: about one a second.
    rate=Rate(per_s=0.5, burst=3),
    # All markets are some 500 KB: twenty times that.
    largest_body=10_000_000,
    simulator="kraken",
    client="lcw_assets.sources.kraken.client:Kraken",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
