"""The token registry without Dagster: from KuCoin's answer to what is new, gone and changed.

Apart from `defs/registry` for the reason that `cycle` is apart from `defs/market`: servers import every module there.
"""
