"""Cycle facts -> reports, SLA checks, sensors that watch, alerts."""
