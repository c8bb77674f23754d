-- What is listed, and not in the answer.
CREATE OR REPLACE TEMP TABLE missing AS
SELECT symbol, status AS was
FROM registry.tokens
WHERE status <> 'delisted' AND symbol NOT IN (SELECT symbol FROM answer);
