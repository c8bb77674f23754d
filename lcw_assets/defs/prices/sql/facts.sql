-- The newest facts before this round.
SELECT source, priced_at, outcome, latency_s, votes, rejected, age_s, retry_at
FROM prices.source_loads
WHERE priced_at < $at
ORDER BY priced_at DESC
LIMIT $most
