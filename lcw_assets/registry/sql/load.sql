-- The answer as a table, under the names and types of registry.tokens. What is not set is null, whichever way KuCoin
-- put it; -0.0 is 0; the order of a list means nothing.
CREATE OR REPLACE TEMP TABLE answer AS
SELECT
    ${fields},
    CASE exchange_status
        WHEN 'Open' THEN 'active'
        WHEN 'CancelOnly' THEN 'cancel_only'
        WHEN 'BeingSettled' THEN 'being_settled'
        WHEN 'Delisted' THEN 'closed'  -- that word is ours: gone from the answers
        ELSE lower(nullif(exchange_status, ''))
    END AS status,
    date_trunc('second', getvariable('observed_at') + to_microseconds((1000 * next_funding_rate_time + 500000)::BIGINT))
        AS next_funding_at
FROM (
    SELECT unnest(row)
    FROM (SELECT unnest(from_json(rows, '${structure}')) AS row FROM (SELECT unnest(?::VARCHAR[]) AS rows))
);
