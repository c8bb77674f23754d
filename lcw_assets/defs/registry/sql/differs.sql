-- Contracts that are new or back, those whose fingerprint differs, and those that the response lacks.
SELECT symbol, old.status AS was, new.symbol IS NULL AS missing
FROM response AS new FULL JOIN registry.tokens AS old USING (symbol)
WHERE CASE
    WHEN old.symbol IS NULL THEN true
    WHEN new.symbol IS NULL THEN old.status <> 'delisted'
    ELSE old.status = 'delisted' OR old.fingerprint IS DISTINCT FROM new.fingerprint
END;
