-- Each of these contracts beside what is known of it.
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
    old.symbol IS NOT NULL AND (${terms_differ}) AS terms_changed
FROM described AS new LEFT JOIN registry.tokens AS old ON old.symbol = new.symbol;
