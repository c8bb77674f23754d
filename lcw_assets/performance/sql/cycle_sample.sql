-- The times of at most about `$most` cycles of a window, every n-th by a hash: the same ones each time.
WITH cycles AS (
    SELECT
        cycle_id, CASE WHEN cycle_s >= 0 AND isfinite(cycle_s) THEN cycle_s END AS cycle_s,
        queue_s, start_s, pull_s, handover_s, lock_wait_s, store_s
    FROM ops.cycles
    WHERE started_at >= $start AND started_at < $end
)
SELECT list(COLUMNS(* EXCLUDE cycle_id)) FROM cycles
WHERE hash(cycle_id) % (SELECT greatest(1, ceil(count(*) / $most))::UBIGINT FROM cycles) = 0
