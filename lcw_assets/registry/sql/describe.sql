-- All the rest, of those contracts that are not as they were. What is not set is null, whichever way KuCoin put it.
-- -0.0 is 0, and the order of a list means nothing.
CREATE OR REPLACE TEMP TABLE described AS
SELECT
    ${fields},
    CASE exchange_status
        WHEN 'Open' THEN 'active'
        WHEN 'CancelOnly' THEN 'cancel_only'
        WHEN 'BeingSettled' THEN 'being_settled'
        WHEN 'Delisted' THEN 'closed'  -- that word is ours: gone from the answers
        ELSE lower(nullif(exchange_status, ''))
    END AS status
FROM (
    SELECT unnest(row)
    FROM (SELECT unnest(from_json(rows, '${structure}')) AS row FROM (SELECT unnest(?::VARCHAR[]) AS rows))
);
