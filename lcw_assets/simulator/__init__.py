"""A local server that simulates each provider, over one hidden market, with faults on demand and a ledger.

Imports nothing else of this project, so that it can test the rest of it.
"""
