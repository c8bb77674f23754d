"""Side-by-side measurements, one command each: `python -m benchmarks.process`, `.cycle`, `.store`.

They print ratios of what was measured in one run: absolute seconds say more of the machine than of the code.
"""
