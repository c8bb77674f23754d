"""History: which windows to ask for, how their points are stored, what is missing, and bars built from ticks.

Knows no Dagster, for the reason that `cycle` does not: what loads definitions all day long needs none of it.
"""
