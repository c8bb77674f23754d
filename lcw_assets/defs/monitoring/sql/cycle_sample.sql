-- The times of at most about `$most` cycles of a window, every n-th by a hash: the same ones each time.
WITH cycles AS (
    SELECT
        cycle_id, CASE WHEN cycle_s >= 0 AND isfinite(cycle_s) THEN cycle_s END AS cycle_s,
        queue_s, start_s, pull_s, handover_s, lock_wait_s, store_s
    FROM ops.cycles
    WHERE started_at >= $start AND started_at < $end
)
SELECT
    list(cycle_s) FILTER (cycle_s >= 0) AS cycle_s,
    list(queue_s) FILTER (queue_s >= 0) AS queue_s,
    list(start_s) FILTER (start_s >= 0) AS start_s,
    list(pull_s) FILTER (pull_s >= 0) AS pull_s,
    list(handover_s) FILTER (handover_s >= 0) AS handover_s,
    list(lock_wait_s) FILTER (lock_wait_s >= 0) AS lock_wait_s,
    list(store_s) FILTER (store_s >= 0) AS store_s
FROM cycles
WHERE hash(cycle_id) % (SELECT greatest(1, ceil(count(*) / $most))::UBIGINT FROM cycles) = 0
