-- The response times of each endpoint. A request that was given up for a faster one took at least so long.
SELECT endpoint, count(*) AS responses, quantile_cont(latency_s, 0.95) AS p95_s, quantile_cont(latency_s, 0.99) AS p99_s
FROM ops.calls
WHERE source = $source AND started_at >= $start AND started_at < $end
    AND outcome IN ('ok', 'superseded') AND latency_s BETWEEN 0 AND 120
GROUP BY endpoint
