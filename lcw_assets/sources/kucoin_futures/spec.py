"""KuCoin Futures, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="kucoin",
    title="KuCoin Futures",
    variables="KUCOIN_FUTURES",
    base_url="https://api-futures.kucoin.com",
    needs_key=False,
    # A tenth of what KuCoin allows: a call is weight 3, and other programs of the user may call from the same address.
    rate=Rate(per_s=2.0, burst=10),
    # A contract is 1.5 KB, and KuCoin has some 500: twenty times that.
    largest_body=16_000_000,
    simulator="kucoin_futures",
    client="lcw_assets.sources.kucoin_futures.client:KuCoinFutures",
    watch=("registry.tokens", "last_seen"),
)
