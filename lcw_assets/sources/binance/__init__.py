"""Binance, as a source of prices."""
