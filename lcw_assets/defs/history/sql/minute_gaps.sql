-- Minutes from $since on in which no cycle began, as stretches; the last one up to $now. A stretch that began before $since
-- is whole.
WITH begun AS (
    SELECT date_trunc('minute', coalesce(scheduled_at, started_at)) AS minute
    FROM ops.cycles
    WHERE status <> 'failed' AND started_at <= $now  -- the clock may have been ahead once
),
minutes AS (
    SELECT DISTINCT minute FROM begun WHERE minute >= $since
    UNION ALL
    SELECT max(minute) FROM begun WHERE minute < $since HAVING max(minute) IS NOT NULL
),
stretches AS (
    SELECT
        minute + INTERVAL 1 minute AS gap_start,
        coalesce(lead(minute) OVER (ORDER BY minute), date_trunc('minute', $now::TIMESTAMPTZ)) AS gap_end
    FROM minutes
)
SELECT gap_start, gap_end, date_diff('minute', gap_start, gap_end) AS missing
FROM stretches
WHERE missing > 0 AND (gap_end < date_trunc('minute', $now::TIMESTAMPTZ) OR missing > 2)
ORDER BY gap_start
