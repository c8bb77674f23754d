-- A row where a price, the funding or the open interest has changed.
INSERT INTO registry.token_snapshots BY NAME
SELECT new.symbol, getvariable('observed_at') AS observed_at, getvariable('sync_id') AS sync_id, ${values}
FROM response AS new LEFT JOIN registry.tokens AS old ON old.symbol = new.symbol
WHERE old.symbol IS NULL OR old.status = 'delisted' OR old.last_seen > getvariable('not_after')${values_differ};
