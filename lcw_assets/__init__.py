"""Crypto market data on Dagster and DuckDB, with a cycle time that can be proved."""
