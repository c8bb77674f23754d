"""From tick to commit, as a user has it: Dagster's own daemon, schedules and queue, under the `september` latencies.

`python -m benchmarks.ticks [cycles] [beat] [folder]`: 400 cycles, one every 15 s, take 100 minutes; the product's beat
is 60. It starts `dagster dev` with everything that is on by default: the registry's sync at each tick of a cycle,
reports, bars, sensors. All ask one simulator, a process of its own. The whole installation is kept in `folder`.

Dagster ticks no schedule more often than once a minute. For a quicker beat there are copies of both minute schedules
whose evaluation waits within its minute, until 15, 30 or 45 s after the full one. Time counts from there, as it does
from the tick in the product, and all that follows is Dagster's. What such a tick does not have is the moment in which
the daemon wakes up and finds all of its schedules due: the figures of the full minute show how much that is.

The figures are those of the machine while it does whatever else it does: its load is part of the result.
"""
