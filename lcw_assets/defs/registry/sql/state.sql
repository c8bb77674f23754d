-- The registry after a sync, in one row. ("Names too many" are counted by hash, which is four times as fast.)
SELECT
    count(*) AS tokens,
    count(*) - count(DISTINCT hash(symbol)) AS duplicates,
    count(*) FILTER (status = 'active') AS active,
    count(*) FILTER (status <> 'delisted') AS listed,
    count(*) FILTER (is_new) AS new,
    max(last_seen) FILTER (status <> 'delisted') AS newest,
    (SELECT count(*) FROM registry.token_events) AS events,
    (SELECT count(*) FROM registry.token_snapshots) AS snapshots,
    (SELECT count(*) FROM ops.syncs) AS syncs,
    (SELECT count(*) FROM ops.syncs WHERE started_at > getvariable('hour_before')) AS recent,
    (SELECT count(*) FROM ops.loads WHERE kind = 'token_registry_sync' AND started_at > getvariable('hour_before')
        AND status = 'failed') AS failed
FROM registry.tokens;
