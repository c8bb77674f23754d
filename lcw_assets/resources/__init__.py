"""Dagster resources: settings in, a source or the warehouse out."""
