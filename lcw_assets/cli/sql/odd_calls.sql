-- The requests of a cycle that failed or were slow, in the order they were made.
SELECT endpoint, request, attempt, hedge, waited_s, latency_s, http_status, outcome, error
FROM ops.cycle_calls
WHERE cycle_id = $cycle_id AND (outcome NOT IN ('ok', 'superseded') OR latency_s >= $slow_s)
ORDER BY started_at
