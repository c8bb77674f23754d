-- What is listed, and not in the answer.
SELECT symbol, status
FROM registry.tokens
WHERE status <> 'delisted' AND symbol NOT IN (SELECT symbol FROM answer);
