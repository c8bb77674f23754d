-- Cycles that were under way between `$start` and `$end`, those that began then first; a cycle begins at its tick, and
-- one without a usable time where its pull began.
SELECT *, CASE WHEN cycle_s >= 0 AND isfinite(cycle_s) THEN committed_at - to_microseconds((cycle_s * 1e6)::BIGINT)
    ELSE started_at END AS began_at
FROM ops.cycles
WHERE started_at < $end AND committed_at >= $start
ORDER BY began_at < $start, began_at
LIMIT 10
