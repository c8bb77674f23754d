-- Each contract of the answer beside what is known of it, and what is listed and not in the answer.
CREATE OR REPLACE TEMP TABLE compared AS
SELECT
    new.symbol,
    old.status AS was,
    coalesce(new.status, nullif(old.status, 'delisted'), 'active') AS status,
    CASE
        WHEN old.symbol IS NULL THEN coalesce(new.first_open_date, getvariable('observed_at'))
        WHEN old.status <> 'delisted' THEN old.listed_at
        WHEN new.first_open_date > old.delisted_at THEN new.first_open_date
        ELSE getvariable('observed_at')
    END AS listed_at,
    old.symbol IS NOT NULL AND (${terms_differ}) AS terms_changed,
    old.symbol IS NOT NULL AND (
        coalesce(new.exchange_status, old.exchange_status) IS DISTINCT FROM old.exchange_status
        OR new.unknown_fields IS DISTINCT FROM old.unknown_fields
    ) AS notes_changed,
    old.symbol IS NULL OR old.status = 'delisted' OR ${values_differ} AS moved
FROM answer AS new LEFT JOIN registry.tokens AS old ON old.symbol = new.symbol;

CREATE OR REPLACE TEMP TABLE missing AS
SELECT symbol, status AS was
FROM registry.tokens
WHERE status <> 'delisted' AND symbol NOT IN (SELECT symbol FROM answer);
