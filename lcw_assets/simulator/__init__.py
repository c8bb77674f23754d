"""A local server that speaks Live Coin Watch and KuCoin Futures, with faults on demand and a ledger of what it served.

Imports nothing else of this project, so that it can judge the rest of it.
"""
