"""Dagster-facing code that concepts share, besides loads: assets, checks, waits."""
