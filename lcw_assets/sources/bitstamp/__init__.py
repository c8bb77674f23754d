"""Bitstamp, as a source of prices."""
