"""KuCoin's spot markets, as a source of prices."""
