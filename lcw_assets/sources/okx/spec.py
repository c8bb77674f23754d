"""OKX, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="okx",
    title="OKX",
    variables="OKX",
    base_url="https://www.okx.com",
    needs_key=False,
    # A fifth of what OKX allows: other programs of the user may call from the same address.
    rate=Rate(per_s=2.0, burst=4),
    # All spot markets are some 400 KB: twenty times that.
    largest_body=8_000_000,
    simulator="okx",
    client="lcw_assets.sources.okx.client:Okx",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
