INSERT INTO registry.token_events BY NAME
SELECT
    symbol,
    'delisted' AS event,
    'status' AS field,
    was AS old_value,
    'delisted' AS new_value,
    getvariable('observed_at') AS happened_at,
    getvariable('observed_at') AS observed_at,
    getvariable('sync_id') AS sync_id
FROM missing;

UPDATE registry.tokens
SET status = 'delisted', delisted_at = getvariable('observed_at'), changed_at = getvariable('observed_at')
WHERE symbol IN (SELECT symbol FROM missing);
