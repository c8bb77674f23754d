-- The newest facts of sources that are seldom called, because they are out.
SELECT source, priced_at, outcome, latency_s, votes, rejected, age_s, retry_at
FROM prices.source_loads
WHERE priced_at < $at AND priced_at > $at - INTERVAL 4 DAY AND source IN (SELECT unnest($sources))
QUALIFY row_number() OVER (PARTITION BY source ORDER BY priced_at DESC) <= 20
