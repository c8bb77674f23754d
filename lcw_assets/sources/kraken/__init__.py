"""Kraken, as a source of prices."""
