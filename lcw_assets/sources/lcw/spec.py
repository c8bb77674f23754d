"""Live Coin Watch, as a source."""

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.sources.spec import Source

SOURCE = Source(
    name="lcw",
    title="Live Coin Watch",
    variables="LCW",
    base_url="https://api.livecoinwatch.com",
    needs_key=True,
    key_header="x-api-key",
    key_hint="which has 36 and no blanks: "
    "copy it from https://www.livecoinwatch.com/tools/api, or set it to nothing for demo data",
    demo_name="simulator",
    rate=Rate(per_s=5.0, burst=16, reserve=8),
    adjustable_rate=True,
    simulator="live_coin_watch",
    # Twice LCW's free credits: with those, a cycle a minute would warn for half of every day.
    simulator_options={"credits_per_day": 20_000},
    client="lcw_assets.sources.lcw.client:LiveCoinWatch",
    client_settings=("currency",),
    watch=("market.coins", "observed_at"),
)
