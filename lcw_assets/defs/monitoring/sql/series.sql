-- Cycle times over a window, in stretches of `$bucket_us` microseconds: what a chart can show of any number of cycles.
SELECT
    time_bucket(to_microseconds($bucket_us), started_at, $start::TIMESTAMPTZ) AS moment,
    min(cycle_s) AS fastest_s,
    median(cycle_s) AS median_s,
    max(cycle_s) AS slowest_s
FROM ops.cycles
WHERE started_at >= $start AND started_at < $end AND cycle_s >= 0 AND isfinite(cycle_s)
GROUP BY moment
ORDER BY moment
