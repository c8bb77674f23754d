"""KuCoin's spot markets, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="kucoin_spot",
    title="KuCoin Spot",
    variables="KUCOIN_SPOT",
    base_url="https://api.kucoin.com",
    needs_key=False,
    # A ninth of what KuCoin allows: a call is weight 15 of 2,000 in 30 s.
    rate=Rate(per_s=0.5, burst=4),
    # All spot markets are some 500 KB: twenty times that.
    largest_body=10_000_000,
    simulator="kucoin_spot",
    client="lcw_assets.sources.kucoin_spot.client:KuCoinSpot",
    group="prices",
    watch=("prices.quotes", "received_at"),
)
