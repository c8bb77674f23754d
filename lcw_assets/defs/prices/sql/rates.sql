-- The last good rates before this round, the newest first. There are few currencies.
SELECT currency, usd, measured_at, sources, implied, anchor_usd, anchored_at
FROM prices.rates
WHERE usd IS NOT NULL AND priced_at < $at AND priced_at > $at - INTERVAL 1 DAY
ORDER BY priced_at DESC
LIMIT 8
