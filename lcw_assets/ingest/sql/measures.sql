-- One row: the cycles and calls that began in a window. Times below zero are no times: the clock went back.
WITH cycles AS (
    SELECT status, CASE WHEN cycle_s >= 0 AND isfinite(cycle_s) THEN cycle_s END AS cycle_s
    FROM ops.cycles
    WHERE started_at >= $start AND started_at < $end
),
times AS (
    SELECT
        count(*) AS cycles,
        count(*) FILTER (status = 'complete') AS complete,
        count(*) FILTER (status = 'partial') AS partial,
        count(*) FILTER (status = 'failed') AS failed,
        count(cycle_s) AS timed,
        avg(cycle_s) AS mean_s,
        min(cycle_s) AS fastest_s,
        max(cycle_s) AS slowest_s,
        quantile_cont(cycle_s, [0.5, 0.95, 0.99]) AS quantiles
    FROM cycles
),
limits AS (
    SELECT list(within ORDER BY seconds) AS within
    FROM (
        SELECT seconds, count(*) FILTER (cycle_s <= seconds) AS within
        FROM (SELECT unnest($limits::DOUBLE[]) AS seconds) LEFT JOIN cycles ON true
        GROUP BY seconds
    )
),
calls AS (
    SELECT count(*) AS calls, count(*) FILTER (outcome NOT IN ('ok', 'superseded')) AS failed_calls
    FROM ops.cycle_calls
    WHERE started_at >= $start AND started_at < $end AND outcome <> 'deadline'  -- those were never sent
)
FROM times, limits, calls
