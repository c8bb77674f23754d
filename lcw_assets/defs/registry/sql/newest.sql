-- The contracts that were listed last.
SELECT symbol, status, listed_at, mark_price, max_leverage
FROM registry.tokens
WHERE status <> 'delisted'
ORDER BY listed_at DESC, symbol
LIMIT 10;
