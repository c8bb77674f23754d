-- Cycles that took over `$over_s`, the slowest first, each with its calls in the order they were made; with `$new`,
-- only those that `reports.slow_cycles` has not.
WITH slowest AS (
    FROM ops.cycles
    WHERE started_at >= $start AND started_at < $end AND cycle_s > $over_s AND isfinite(cycle_s)
        AND (NOT $new OR cycle_id NOT IN (SELECT cycle_id FROM reports.slow_cycles))
    ORDER BY cycle_s DESC, cycle_id
    LIMIT $most
)
SELECT slowest.*, list(call ORDER BY call.started_at) FILTER (call.cycle_id IS NOT NULL) AS attempts
FROM slowest
LEFT JOIN (
    FROM ops.calls WHERE cycle_id IN (SELECT cycle_id FROM slowest)
) AS call ON call.cycle_id = slowest.cycle_id
GROUP BY ALL
ORDER BY cycle_s DESC, slowest.cycle_id
