-- The latencies of at most about `$most` calls of each endpoint in a window: the same ones each time.
WITH counts AS (
    SELECT endpoint, greatest(1, ceil(count(*) / $most))::UBIGINT AS every
    FROM ops.cycle_calls
    WHERE started_at >= $start AND started_at < $end AND outcome <> 'deadline'
    GROUP BY endpoint
)
SELECT endpoint, list(latency_s) AS latencies
FROM ops.cycle_calls JOIN counts USING (endpoint)
WHERE started_at >= $start AND started_at < $end AND outcome <> 'deadline'
    AND hash(cycle_id, started_at) % every = 0
GROUP BY endpoint
