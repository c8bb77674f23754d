"""Coinbase Exchange, as a source of prices."""
