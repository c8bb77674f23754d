-- Minutes of a window, from the first cycle of all on, in which no cycle began and none was still running, as stretches,
-- the longest first. `$spooled` are moments at which cycles began that wait to be stored. A cycle runs for 90 s at most.
WITH cycles AS (
    SELECT
        least(started_at, coalesce(CASE WHEN NOT late_tick THEN scheduled_at END, started_at)) AS began_at,
        least(committed_at, started_at + INTERVAL 90 SECOND) AS ended_at
    FROM ops.cycles
    WHERE started_at >= $start - INTERVAL 1 HOUR AND started_at < $end + INTERVAL 1 HOUR
    UNION ALL
    SELECT unnest($spooled::TIMESTAMPTZ[]), unnest($spooled::TIMESTAMPTZ[])
),
busy AS (
    SELECT unnest(range(
        date_trunc('minute', began_at),
        greatest(began_at, ended_at) + INTERVAL 1 MICROSECOND,  -- the clock may have gone back
        INTERVAL 1 MINUTE
    )) AS minute
    FROM cycles
),
idle AS (
    FROM unnest(range($start::TIMESTAMPTZ, $end::TIMESTAMPTZ, INTERVAL 1 MINUTE)) AS minutes(minute)
    WHERE minute NOT IN (SELECT minute FROM busy)
)
SELECT min(minute) AS start, max(minute) + INTERVAL 1 MINUTE AS end, count(*) AS minutes
FROM (SELECT minute, minute - row_number() OVER (ORDER BY minute) * INTERVAL 1 MINUTE AS stretch FROM idle)
GROUP BY stretch
ORDER BY minutes DESC, start
