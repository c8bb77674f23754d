"""Cycle after cycle through trouble: `python -m benchmarks.soak [cycles] [scale] [folder]`; 600 cycles, at a twentieth.

A simulator with the `flaky` profile, an outage of 60 cycles, a storm of 429 in every 150th to 160th, and the process
that runs the cycles killed within every hundred, at a random moment. Cycles pull, spool, store and are held against
the SLA as in production, less Dagster; the parent process, which survives, watches them as the daemon does. A minute
is as short as `scale` makes it, and with it every delay, time-out and back-off; what is stored has the times of whole
minutes. What this machine computes is not shortened: at a twentieth, 50 ms of it are a second of the minute.

What must hold is checked at the end, against the tables, the simulator's ledger and the plan of trouble, and the exit
code says so: `verdict.py`, and for the alerts `oracle.py`. A `folder` keeps the database and the alerts.
"""
