-- The values that move, of all known contracts. The other columns would cost as much again, each minute.
UPDATE registry.tokens AS old
SET
    last_seen = getvariable('observed_at'),
    unknown_fields = new.unknown_fields::JSON,
    is_new = old.listed_at > getvariable('observed_at') - getvariable('new_for')${assignments}
FROM response AS new
WHERE old.symbol = new.symbol;
