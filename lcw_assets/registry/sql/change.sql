-- After their events: those need the values that the tokens had.
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
    unknown_fields = new.unknown_fields,
    fingerprint = new.fingerprint${term_assignments}
FROM compared JOIN described AS new ON new.symbol = compared.symbol
WHERE old.symbol = compared.symbol;
