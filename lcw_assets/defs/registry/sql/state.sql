-- The registry after a sync, in one row.
SELECT
    count(*) FILTER (status = 'active') AS active,
    count(*) FILTER (status <> 'delisted') AS listed,
    count(*) FILTER (is_new) AS new,
    (SELECT count(*) FROM registry.token_events) AS events,
    (SELECT count(*) FROM ops.syncs) AS syncs
FROM registry.tokens;
