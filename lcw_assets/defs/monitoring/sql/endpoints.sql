-- How each endpoint did in a window. Attempts that found no time left were never sent. Quantiles keep every value
-- in memory: as whole microseconds a year of seven million calls takes 150 MB, as doubles 290.
WITH calls AS (
    SELECT *, (1e6 * least(latency_s, 2000))::INTEGER AS latency_us
    FROM ops.cycle_calls
    WHERE started_at >= $start AND started_at < $end AND outcome <> 'deadline'
)
SELECT
    endpoint,
    count(*) AS calls,
    count(*) FILTER (outcome NOT IN ('ok', 'superseded')) / count(*) AS error_rate,
    quantile_cont(latency_us, 0.5) / 1e6 AS median_s,
    quantile_cont(latency_us, 0.95) / 1e6 AS p95_s,
    quantile_cont(latency_us, 0.99) / 1e6 AS p99_s,
    sum(bytes)::BIGINT AS bytes,
    count(*) FILTER (attempt > 1) AS retries,
    count(*) FILTER (hedge) AS hedges
FROM calls
GROUP BY endpoint
ORDER BY calls DESC, endpoint
