-- Listed, back again, or in another state than before.
INSERT INTO registry.token_events BY NAME
SELECT
    symbol,
    CASE WHEN was IS NULL THEN 'listed' WHEN was = 'delisted' THEN 'relisted' ELSE 'status_changed' END AS event,
    'status' AS field,
    was AS old_value,
    status AS new_value,
    CASE WHEN was IS NULL OR was = 'delisted' THEN listed_at ELSE getvariable('observed_at') END AS happened_at,
    getvariable('observed_at') AS observed_at,
    getvariable('sync_id') AS sync_id
FROM compared
WHERE was IS DISTINCT FROM status;
