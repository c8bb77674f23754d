"""Partitioned history, backfills, gaps, and what is built from ticks."""
