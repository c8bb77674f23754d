"""Prices that can be defended: quotes of many sources, and what they add up to. These modules are pure functions."""
