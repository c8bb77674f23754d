-- The cycles before and after a stretch without any.
(SELECT cycle_id, started_at FROM ops.cycles WHERE started_at < $start ORDER BY started_at DESC LIMIT 1)
UNION ALL
(SELECT cycle_id, started_at FROM ops.cycles WHERE started_at >= $end ORDER BY started_at LIMIT 1)
