"""Bybit, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="bybit",
    title="Bybit",
    variables="BYBIT",
    base_url="https://api.bybit.com",
    needs_key=False,
    # Far below the 120 a second that Bybit allows: a round is one call.
    rate=Rate(per_s=2.0, burst=4),
    # All spot markets are some 180 KB: twenty times that.
    largest_body=4_000_000,
    simulator="bybit",
    client="lcw_assets.sources.bybit.client:Bybit",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
