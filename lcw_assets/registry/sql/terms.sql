-- A row for each field that changed.
INSERT INTO registry.token_events BY NAME
SELECT
    symbol,
    'parameter_changed' AS event,
    change.field AS field,
    change.old_value AS old_value,
    change.new_value AS new_value,
    getvariable('observed_at') AS happened_at,
    getvariable('observed_at') AS observed_at,
    getvariable('sync_id') AS sync_id
FROM (
    SELECT symbol, unnest([${term_changes}]) AS change
    FROM compared JOIN described AS new USING (symbol) JOIN registry.tokens AS old USING (symbol)
    WHERE terms_changed
)
WHERE change.old_value IS DISTINCT FROM change.new_value;
