-- The outcomes of each cycle's calls, oldest first; without cycles that made no call.
SELECT
    cycle_id,
    max(started_at + to_microseconds(CASE WHEN latency_s BETWEEN 0 AND 120 THEN 1e6 * latency_s ELSE 0 END::BIGINT))
        AS ended_at,
    count(*) AS calls,
    count(*) FILTER (outcome = 'ok') AS good,
    count(*) FILTER (outcome IN ('rate_limited', 'banned')) AS rate_limited,
    count(*) FILTER (hedge) AS hedges
FROM ops.calls
WHERE source = $source AND started_at >= $start AND started_at < $end AND outcome <> 'deadline'
GROUP BY cycle_id
ORDER BY cycle_id
