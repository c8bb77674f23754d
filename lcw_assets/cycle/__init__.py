"""One fetch cycle, from its clock to its commit. Knows no Dagster, so that it can be measured and killed without it.

Apart from `defs/market`, because Dagster imports every module in `defs/` in each of its servers, and these import
requests and pydantic models that only a running cycle needs.
"""
