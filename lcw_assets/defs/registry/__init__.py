"""The token registry: KuCoin's futures contracts -> what is listed, and what happened to each."""
