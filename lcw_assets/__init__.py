"""Crypto market data on Dagster and DuckDB, with a cycle time that can be proved."""

__version__ = "0.2.0.dev0"
