-- Events first: they need the values that the tokens had.
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
WHERE was IS DISTINCT FROM status
UNION ALL
SELECT
    symbol, 'delisted', 'status', was, 'delisted',
    getvariable('observed_at'), getvariable('observed_at'), getvariable('sync_id')
FROM missing;

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
    FROM compared JOIN answer AS new USING (symbol) JOIN registry.tokens AS old USING (symbol)
    WHERE terms_changed
)
WHERE change.old_value IS DISTINCT FROM change.new_value;

INSERT INTO registry.token_snapshots BY NAME
SELECT symbol, getvariable('observed_at') AS observed_at, getvariable('sync_id') AS sync_id, ${values}
FROM answer JOIN compared USING (symbol)
WHERE moved;

-- What moves, of all that were there already. The other columns would cost as much again, each minute.
UPDATE registry.tokens AS old
SET last_seen = getvariable('observed_at'), ${move_assignments}
FROM answer AS new
WHERE old.symbol = new.symbol;

-- The rest, of those few where it changed.
UPDATE registry.tokens AS old
SET
    status = compared.status,
    listed_at = compared.listed_at,
    delisted_at = NULL,
    changed_at = CASE
        WHEN terms_changed OR was <> compared.status THEN getvariable('observed_at')
        ELSE old.changed_at
    END,
    exchange_status = coalesce(new.exchange_status, old.exchange_status),
    unknown_fields = new.unknown_fields${term_assignments}
FROM compared JOIN answer AS new ON new.symbol = compared.symbol
WHERE old.symbol = compared.symbol AND (terms_changed OR notes_changed OR was <> compared.status);

INSERT INTO registry.tokens BY NAME
SELECT
    new.* EXCLUDE (status),
    compared.status AS status,
    compared.listed_at AS listed_at,
    false AS is_new,
    getvariable('observed_at') AS first_seen,
    getvariable('observed_at') AS last_seen,
    getvariable('observed_at') AS changed_at
FROM answer AS new JOIN compared ON compared.symbol = new.symbol
WHERE was IS NULL;

UPDATE registry.tokens
SET status = 'delisted', delisted_at = getvariable('observed_at'), changed_at = getvariable('observed_at')
WHERE symbol IN (SELECT symbol FROM missing);

UPDATE registry.tokens
SET is_new = NOT is_new
WHERE is_new <> (status <> 'delisted' AND listed_at > getvariable('observed_at') - getvariable('new_for'));
