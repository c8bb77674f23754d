"""What processes share: locks, rate limits, budgets, files that are whole. One implementation each, for one machine.

Callers know `interfaces`: a store that several hosts share can be a second implementation.
"""
