-- What each source cost on the UTC day of this round, before it.
SELECT source, sum(calls)::BIGINT AS calls, sum(bytes)::BIGINT AS bytes, sum(cost) AS cost
FROM prices.source_loads
WHERE priced_at < $at AND priced_at >= $midnight
GROUP BY source
