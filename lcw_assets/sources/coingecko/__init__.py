"""CoinGecko, as a witness of prices."""
