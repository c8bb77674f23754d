"""The token registry: KuCoin's futures contracts, which are listed, and their events."""
