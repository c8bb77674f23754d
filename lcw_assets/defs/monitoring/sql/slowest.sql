-- Cycles that took over `$over_s`, the slowest first, each with its calls in the order they were made, its waits for the
-- database, and how busy the machine was; with `$new`, only those that `reports.slow_cycles` has not.
WITH slowest AS (
    FROM ops.cycles
    WHERE started_at >= $start AND started_at < $end AND cycle_s > $over_s AND isfinite(cycle_s)
        AND (NOT $new OR cycle_id NOT IN (SELECT cycle_id FROM reports.slow_cycles))
    ORDER BY cycle_s DESC, cycle_id
    LIMIT $most
),
calls AS (
    SELECT cycle_id, list(call ORDER BY call.started_at) AS attempts
    FROM ops.calls AS call
    WHERE cycle_id IN (SELECT cycle_id FROM slowest)
    GROUP BY cycle_id
),
waits AS (
    SELECT load_id AS cycle_id, list(wait ORDER BY wait.waited_at) AS lock_waits
    FROM ops.lock_waits AS wait
    WHERE load_id IN (SELECT cycle_id FROM slowest)
    GROUP BY load_id
)
SELECT slowest.*, attempts, lock_waits, cpu, processors, load, memory
FROM slowest
LEFT JOIN calls USING (cycle_id)
LEFT JOIN waits USING (cycle_id)
LEFT JOIN ops.machine_during(
    (SELECT min(started_at) FROM slowest), (SELECT max(committed_at) + INTERVAL 1 MINUTE FROM slowest)
) USING (cycle_id)
ORDER BY cycle_s DESC, cycle_id
