"""Bitstamp, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="bitstamp",
    title="Bitstamp",
    variables="BITSTAMP",
    base_url="https://www.bitstamp.net",
    needs_key=False,
    # An eighth of the 10,000 in ten minutes that Bitstamp allows.
    rate=Rate(per_s=2.0, burst=4),
    # All markets are 80 KB: twenty times that.
    largest_body=2_000_000,
    simulator="bitstamp",
    client="lcw_assets.sources.bitstamp.client:Bitstamp",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
