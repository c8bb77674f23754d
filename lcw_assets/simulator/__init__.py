"""A local server that speaks as each provider does, over one hidden market, with faults on demand and a ledger.

Imports nothing else of this project, so that it can judge the rest of it.
"""
