-- Contracts that were not listed, or of which more has changed than what moves.
SELECT new.symbol
FROM answer AS new LEFT JOIN registry.tokens AS old ON old.symbol = new.symbol
WHERE old.symbol IS NULL OR old.status = 'delisted' OR old.fingerprint IS DISTINCT FROM new.fingerprint;
