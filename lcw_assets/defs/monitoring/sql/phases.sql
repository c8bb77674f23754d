-- How long the phases of the cycles of a window took.
WITH phases AS (
    UNPIVOT (
        SELECT queue_s, start_s, pull_s, handover_s, lock_wait_s, store_s
        FROM ops.cycles
        WHERE started_at >= $start AND started_at < $end
    )
    ON COLUMNS(*) INTO NAME phase VALUE seconds
)
SELECT
    phase,
    count(*) AS cycles,
    avg(seconds) AS mean_s,
    min(seconds) AS fastest_s,
    quantile_cont(seconds, 0.5) AS median_s,
    quantile_cont(seconds, 0.95) AS p95_s,
    quantile_cont(seconds, 0.99) AS p99_s,
    max(seconds) AS slowest_s,
    sum(seconds) / sum(sum(seconds)) OVER () AS share
FROM phases
WHERE seconds >= 0 AND isfinite(seconds)  -- below zero, the clock went back
GROUP BY phase
