"""The fetch cycle: raw pulls -> market tables."""
