-- How far each source's prices were from the consensus, of all coins and rounds in bins of `$bin_us` microseconds. A bin
-- has what came after its moment until the next one's, so that a round at `$end` is in the last. One in which a source
-- had no deviation has nulls, or no row.
SELECT
    source,
    time_bucket(to_microseconds($bin_us), priced_at - INTERVAL 1 MICROSECOND, $start::TIMESTAMPTZ) AS moment,
    min(lowest) AS lowest,
    median(deviation) AS median,
    max(highest) AS highest
FROM prices.source_loads
WHERE priced_at > $start AND priced_at <= $end AND source IN (SELECT unnest($sources))
GROUP BY source, moment
ORDER BY source, moment
