"""From facts to judgements: how fast cycles were, why some were not, and whether that is fast enough.

Reads `ops.cycles` and `ops.calls`; knows no Dagster. Apart from `defs/performance` for the reason that `cycle` is:
charts and rank tests take a second to import, and only a report needs them.
"""
