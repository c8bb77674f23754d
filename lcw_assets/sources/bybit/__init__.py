"""Bybit, as a source of prices."""
