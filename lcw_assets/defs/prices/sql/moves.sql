-- The consensus prices of the last minutes, from which volatilities follow.
SELECT symbol, priced_at, price
FROM prices.consensus
WHERE priced_at < $at AND priced_at > $at - INTERVAL 10 MINUTE AND price IS NOT NULL
ORDER BY symbol, priced_at
